import type { Proof } from './proof.ts'
import { padded } from './recordings.ts'

/** Sixteen encodes for four workers, each of which has to take its share; uploads take turns between the replicas. */
export async function shareOut({ client, kept, long, stack }: Proof): Promise<string> {
  const sessions = await Promise.all(Array.from({ length: 16 }, (_, index) => client.createSession(100 + index)))
  for (const session of sessions) {
    const { status, text } = await client.upload(session, long)
    if (status !== 201) throw new Error(`upload answered ${status}: ${text}`)
  }
  await Promise.all(sessions.map((session) => client.encoded(session, 600)))
  const [first] = sessions
  if (first) kept.set(first, await client.play(first))

  /** How many lines of a log tell of it, in each container of a service. */
  const count = async (service: string, line: RegExp) => {
    const all = await stack.containers(service)
    const logs = await Promise.all(all.map(({ id }) => stack.docker('logs', id)))
    return logs.map((log) => log.split('\n').filter((text) => line.test(text)).length)
  }
  const chunks = await count('worker', /"job":"encode-chunk".*"job done"/)
  if (chunks.length !== 4 || Math.min(...chunks) < 2) throw new Error(`shares of the workers: ${chunks}`)
  const uploads = await count('media', /"method":"POST".*"status":201/)
  if (uploads.length !== 2 || Math.min(...uploads) < 1) throw new Error(`shares of media: ${uploads}`)
  return `chunks of the workers ${chunks.join(', ')}; uploads of media ${uploads.join(', ')}`
}

/** A recording of 5 GiB in one request: durable, encoded, and nothing of it on the gateway's disk. */
export async function largeUpload({ client, quick, stack }: Proof): Promise<string> {
  const session = await client.createSession(200)
  const before = await stack.written('gateway')
  const started = performance.now()
  const { status, text } = await client.upload(session, padded(quick, 5 * 1024 ** 3))
  const seconds = (performance.now() - started) / 1000
  if (status !== 201) throw new Error(`upload answered ${status}: ${text}`)
  // What Docker's start of a health check costs may count.
  const written = (await stack.written('gateway')) - before
  if (written > 1024 ** 2) throw new Error(`the gateway wrote ${written} bytes to a disk`)
  await client.encoded(session, 600)
  return `${seconds.toFixed(1)} s, ${Math.round(5120 / seconds)} MiB/s`
}
