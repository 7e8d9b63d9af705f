import { setTimeout as sleep } from 'node:timers/promises'
import type { Session } from './client.ts'
import type { Proof } from './proof.ts'
import { padded } from './recordings.ts'

/** Every kind of container, and whether an upload needs it. */
const kinds: [service: string, needed: boolean][] = [
  ['worker', false],
  ['contents', false],
  ['script', false],
  ['redis', false],
  ['media', true],
  ['postgres', true],
  ['s3', true],
  ['gateway', true],
]
const uploads = 3

/**
 * Kills one container of each kind in the middle of uploads. Uploads that do not need it go on; a client that is cut
 * off tries again and gets through; and what was answered 201, before or after, is encoded and plays.
 */
export async function killEach({ client, kept, quick, stack }: Proof): Promise<string> {
  const stored: Session[] = []
  const notes: string[] = []
  for (const [index, [service, needed]] of kinds.entries()) {
    const sessions = await Promise.all(
      Array.from({ length: uploads }, (_, number) => client.createSession(300 + index * uploads + number)),
    )
    const slow = padded(quick, 24 * 1024 ** 2, 5)
    const attempts = sessions.map((session) =>
      client.upload(session, slow).then(
        ({ status }) => status,
        () => 0,
      ),
    )
    await sleep(2_000)
    const died = performance.now()
    await stack.kill(service)
    const first = await Promise.all(attempts)
    const survived = first.filter((status) => status === 201).length
    if (!needed && survived < uploads) throw new Error(`uploads without ${service}: ${first.join(', ')}`)
    await Promise.all(
      sessions.map(async (session, number) => {
        if (first[number] !== 201) await retry(() => client.upload(session, quick))
      }),
    )
    await stack.healthy(service)
    stored.push(...sessions)
    notes.push(`${service} ${survived}/${uploads}, well after ${((performance.now() - died) / 1000).toFixed(0)} s`)
  }
  await Promise.all(stored.map((session) => client.encoded(session, 300)))
  for (const session of stored) kept.set(session, await client.play(session))
  return `uploads that went on: ${notes.join('; ')}`
}

/** As a patient client does: again, unless the answer says that it is its own fault. */
export async function retry(upload: () => Promise<{ status: number; text: string }>): Promise<void> {
  let last = ''
  for (const deadline = Date.now() + 120_000; Date.now() < deadline; await sleep(1_000)) {
    const { status, text } = await upload().catch((error: unknown) => ({ status: 0, text: String(error) }))
    if (status === 201) return
    last = `${status} ${text}`
    if ([401, 413, 422].includes(status)) break
  }
  throw new Error(`the upload did not get through: ${last}`)
}
