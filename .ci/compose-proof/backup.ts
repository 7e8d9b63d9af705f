import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { Proof } from './proof.ts'

/** The operating notes' backup and restore, word for word, with everything thrown away in between. */
export async function backUpAndRestore({ client, directory, kept, quick, stack }: Proof): Promise<string> {
  const dump = join(directory, 'database.dump')
  const tar = async (...args: string[]) => {
    const s3 = (await stack.compose('ps', '-aq', 's3')).trim()
    return stack.docker(
      ...['run', '--rm', '--volumes-from', s3, '-v', `${directory}:/backup`, '--entrypoint', 'tar'],
      ...['postgres:17-bookworm', '-C', '/var/lib/garage', ...args],
    )
  }
  await stack.compose('stop', 'gateway', 'worker')
  await stack.withFile(
    ...(['>', dump, 'docker-compose'] as const),
    ...'exec -T postgres pg_dump -U playtherapy -Fc --no-privileges playtherapy'.split(' '),
  )
  await stack.compose('stop', 's3')
  await tar('-Scf', '/backup/objects.tar', 'meta', 'data')
  const up = async () => {
    await stack.compose('up', '-d', '--no-build')
    await Promise.all(['gateway', 'worker'].map((service) => stack.healthy(service)))
  }
  await up()
  const gone = await client.createSession(5)

  await stack.compose('down', '-v')
  await stack.compose('up', '-d', '--no-build', 'postgres')
  await stack.healthy('postgres')
  await stack.compose('up', '--no-start', '--no-build', 's3')
  await tar('-Sxf', '/backup/objects.tar')
  await stack.withFile(
    ...(['<', dump, 'docker-compose'] as const),
    ...'exec -T postgres pg_restore -U playtherapy -d playtherapy --no-privileges --single-transaction'.split(' '),
  )
  await up()
  for (const [session, rendition] of kept) {
    if (!rendition.equals(await client.play(session))) throw new Error(`another recording at ${session.path}`)
  }
  const { status } = await client.call('GET', gone.path, gone.token)
  if (status !== 400) throw new Error(`a case made after the backup answered ${status}`)
  const session = await client.createSession(5)
  await client.upload(session, quick)
  await client.encoded(session, 120)
  const mebibytes = (name: string) => (statSync(join(directory, name)).size / 1024 ** 2).toFixed(1)
  return `${kept.size} recordings, from ${mebibytes('objects.tar')} and ${mebibytes('database.dump')} MiB`
}
