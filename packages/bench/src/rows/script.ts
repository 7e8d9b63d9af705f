import { once } from 'node:events'
import { Agent, type IncomingMessage, request as openRequest } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { directClient } from '../bucket.ts'
import { alternate, ratio } from '../measure.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'

/** Returns a script of a little less than 1 MiB, in short sentences as real ones. */
function madeUpScript(): Buffer {
  const record = (n: number) => ({
    start_time: new Date(n * 2_000).toISOString().slice(11, 19),
    end_time: new Date(n * 2_000 + 1_500).toISOString().slice(11, 19),
    speaker: n % 3 === 0 ? 'T' : 'C1',
    text: `오늘은 무엇을 하고 놀까? 나는 ${n}번째 집을 지을 거야. 12345678`,
  })
  const one = JSON.stringify(record(0)).length
  let bytes: Buffer
  let count = Math.floor(1_048_576 / one)
  do {
    bytes = Buffer.from(JSON.stringify({ scripts: Array.from({ length: count }, (_, n) => record(n)) }))
    count -= 100
  } while (bytes.length > 1_048_576)
  return bytes
}

/** Returns a form with a script as its only part. */
async function inForm(bytes: Buffer) {
  const form = new FormData()
  form.append('script', new Blob([bytes], { type: 'application/json' }), 'script.json')
  const whole = new Response(form)
  return { body: Buffer.from(await whole.arrayBuffer()), type: whole.headers.get('content-type') ?? '' }
}

interface Sent {
  method: string
  agent: Agent
  headers: Record<string, string>
  body?: Buffer
}

/** Returns the body of the response; rejects unless its status is 200. The SDK uses the same HTTP client. */
async function exchange(url: string, { body, ...options }: Sent): Promise<Buffer> {
  const request = openRequest(url, options).end(body)
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (!response) throw new Error('no answer')
  const answer = await buffer(response)
  if (response.statusCode !== 200)
    throw new Error(`${options.method} ${url} returned ${response.statusCode}: ${answer}`)
  return answer
}

/** A sample is the mean of this many stores or reads, one after the other. */
const repeats = 10

/** A script of 1 MiB stored, then read, against PutObject and GetObject of the same bytes. */
export const script: Row = {
  name: 'script',
  async measure(place) {
    const databaseUrl = await place.database('scripts')
    const bucket = await place.bucket()
    const service = await place.start({
      program: 'script',
      env: await place.settings(databaseUrl),
      ready: '/health/ready',
    })
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const bytes = madeUpScript()
    const url = `${service.url}${session.path}/script`
    const headers = place.as(therapist)
    const s3 = directClient(bucket)
    const { body, type } = await inForm(bytes)
    const mark = body.indexOf('"', body.indexOf('"text":"') + '"text":"'.length) - 8
    const agent = new Agent({ keepAlive: true })
    let [saves, stored] = [0, 0]
    const times = async (act: () => Promise<unknown>) => {
      const began = performance.now()
      for (let n = 0; n < repeats; n++) await act()
      return (performance.now() - began) / repeats
    }
    const key = { Bucket: bucket.bucket, Key: 'peer/script-1' }
    const stores = await alternate({
      ours: () =>
        times(async () => {
          // The same bytes again would create no new version.
          body.write(String(++saves).padStart(8, '0'), mark)
          await exchange(url, { method: 'POST', agent, headers: { ...headers, 'content-type': type }, body })
        }),
      theirs: () =>
        times(() => {
          stored++
          return s3.send(new PutObjectCommand({ ...key, Key: `peer/script-${stored}`, Body: bytes }))
        }),
    })
    const reads = await alternate(
      {
        ours: () =>
          times(async () => {
            const read = await exchange(url, { method: 'GET', agent, headers })
            if (read.length !== bytes.length) throw new Error('the script that was read is not the stored one')
          }),
        theirs: () => times(async () => (await s3.send(new GetObjectCommand(key))).Body?.transformToByteArray()),
      },
      // The store is still flushing what was just stored, which sometimes makes a read ten times slower.
      { rounds: 15 },
    )
    agent.destroy()
    s3.destroy()
    await service.stop()
    const time = (sample: number) => sample
    return [
      ratio(
        { name: 'script of 1 MiB stored: time against PutObject', target: { most: 1.5 } },
        [stores.ours, stores.theirs],
        time,
      ),
      ratio(
        { name: 'script of 1 MiB read: time against GetObject', target: { most: 1.2 } },
        [reads.ours, reads.theirs],
        time,
      ),
    ]
  },
}
