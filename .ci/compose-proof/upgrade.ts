import { setTimeout as sleep } from 'node:timers/promises'
import { retry } from './deaths.ts'
import type { Proof } from './proof.ts'

const replaced = ['contents', 'media', 'script', 'worker']

/**
 * The operating notes' upgrade, with every container of ours replaced while a client reads and another uploads: both
 * hear of nothing worse than 503, and the upload gets through.
 */
export async function upgrade({ client, quick, stack }: Proof, replicas: string[]): Promise<string> {
  const session = await client.createSession(400)
  const before = new Set((await stack.containers()).map(({ id }) => id))
  let over = false
  const statuses: number[] = []
  const reads = (async () => {
    for (; !over; await sleep(100)) statuses.push((await client.call('GET', session.path, session.token)).status)
  })()
  await stack.compose('run', '--rm', 'migrate')
  const upload = sleep(2_000).then(() => retry(() => client.upload(session, quick)))
  await stack.compose('up', '-d', '--no-build', '--no-deps', '--force-recreate', ...replicas, ...replaced)
  await Promise.all([...replaced.map((service) => stack.healthy(service)), upload])
  over = true
  await reads
  for (const service of replaced) {
    if ((await stack.containers(service)).some(({ id }) => before.has(id))) throw new Error(`${service} is the old one`)
  }
  const worse = statuses.filter((status) => status !== 200 && status !== 503)
  if (worse.length > 0) throw new Error(`reading answered ${worse.join(', ')}`)
  await client.encoded(session, 120)
  return `of ${statuses.length} reads ${statuses.filter((status) => status === 503).length} answered 503`
}
