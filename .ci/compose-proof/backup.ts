import { join } from 'node:path'
import type { Proof } from './proof.ts'

/** The operating notes' backup and restore, word for word, with everything thrown away in between. */
export async function backUpAndRestore({ client, directory, kept, stack }: Proof): Promise<string> {
  const dump = join(directory, 'database.dump')
  const objects = join(directory, 'objects.tar')
  const tar = (mode: string) =>
    stack.docker(
      ...['run', '--rm', '--user', '0', '--entrypoint', 'tar'],
      ...['-v', `${stack.volume('s3-meta')}:/s3/meta`, '-v', `${stack.volume('s3-data')}:/s3/data`],
      ...['-v', `${directory}:/backup`, 'postgres:17-bookworm', '-C', '/s3', mode, '/backup/objects.tar', '.'],
    )
  // Rows name objects, so the rows come first; nothing removes objects while the workers rest.
  await stack.compose('stop', 'worker')
  await stack.withFile(
    ...(['>', dump, 'docker-compose'] as const),
    ...['exec', '-T', 'postgres', 'pg_dump', '-U', 'playtherapy', '-Fc', 'playtherapy'],
  )
  await stack.compose('stop', 's3')
  await tar('-Scf')
  const gone = await client.createSession(5)

  await stack.compose('down', '-v')
  await stack.compose('up', '-d', '--no-build', 'postgres')
  await stack.healthy('postgres')
  await stack.compose('up', '--no-start', '--no-build', 's3')
  await tar('-Sxf')
  await stack.withFile(
    ...(['<', dump, 'docker-compose'] as const),
    ...['exec', '-T', 'postgres', 'pg_restore', '-U', 'playtherapy', '-d', 'playtherapy', '--single-transaction'],
  )
  await stack.compose('up', '-d', '--no-build')
  await Promise.all(['gateway', 'worker'].map((service) => stack.healthy(service)))
  for (const [session, rendition] of kept) {
    if (!rendition.equals(await client.play(session))) throw new Error(`another recording at ${session.path}`)
  }
  const { status } = await client.call('GET', gone.path, gone.token)
  if (status !== 400) throw new Error(`a case made after the backup answered ${status}`)
  return `${kept.size} recordings, ${objects} and ${dump}`
}
