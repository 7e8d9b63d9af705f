import { setTimeout as sleep } from 'node:timers/promises'
import { retry } from './deaths.ts'
import type { Proof } from './proof.ts'

const replaced = ['contents', 'media', 'script', 'worker']

/**
 * The operating notes' upgrade, with every container of ours replaced while a client reads from each service, and another uploads: no
 * read is refused, and the upload gets through.
 */
export async function upgrade({ client, kept, quick, stack }: Proof): Promise<string> {
  const session = await client.createSession(400)
  const [recorded] = kept.keys()
  if (!recorded) throw new Error('no recording to read')
  const ofCase = recorded.path.replace(/\/session\/.*/, '')
  const before = new Set((await stack.containers()).map(({ id }) => id))
  let over = false
  const count = { answers: 0 }
  /** Reads until all is replaced. Throws at the first answer that is not 200. */
  const repeat = async (path: string) => {
    for (; !over; await sleep(100)) {
      await client.ask(200, 'GET', path, recorded.token)
      count.answers += 1
    }
  }
  const requests = [recorded.path, `${recorded.path}/video/state`, `${ofCase}/script-search?keyword=a`].map(repeat)
  const all = Promise.all(requests)
  // It is awaited below; until then a request that fails is no failure of the process.
  all.catch(() => {})
  await stack.compose('run', '--rm', 'migrate')
  const upload = sleep(2_000).then(() => retry(() => client.upload(session, quick)))
  await Promise.all([stack.replace(), upload])
  over = true
  await all
  for (const service of replaced) {
    if ((await stack.containers(service)).some(({ id }) => before.has(id))) throw new Error(`${service} is the old one`)
    await stack.healthy(service)
  }
  await client.encoded(session, 120)
  return `${count.answers} reads, none refused`
}
