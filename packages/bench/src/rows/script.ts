import { GetObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { directClient } from '../bucket.ts'
import { alternate, ratio } from '../measure.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'

/** A script of a little less than 1 MiB, as ours come: one short sentence after the other. */
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

/** Stores or reads of a sample, one after the other. */
const repeats = 10

/** A script of 1 MiB stored, then read, against PutObject and GetObject of the same bytes. */
export const script: Row = {
  name: 'script',
  async measure(place) {
    const databaseUrl = await place.database('scripts')
    const bucket = await place.bucket()
    const service = await place.start({
      program: 'services/script/src/server.ts',
      env: await place.settings(databaseUrl),
      ready: '/health/ready',
    })
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const bytes = madeUpScript()
    const url = `${service.url}${session.path}/script`
    const headers = place.as(therapist)
    const s3 = directClient(bucket)
    const mark = bytes.indexOf('"', bytes.indexOf('"text":"') + '"text":"'.length) - 8
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
          // The same bytes again would make no version.
          bytes.write(String(++saves).padStart(8, '0'), mark)
          const form = new FormData()
          form.append('script', new Blob([bytes], { type: 'application/json' }), 'script.json')
          const answer = await fetch(url, { method: 'POST', headers, body: form })
          if (answer.status !== 200) throw new Error(`a script was not stored: ${await answer.text()}`)
          await answer.arrayBuffer()
        }),
      theirs: () =>
        times(() => {
          stored++
          return s3.send(new PutObjectCommand({ ...key, Key: `peer/script-${stored}`, Body: bytes }))
        }),
    })
    const reads = await alternate({
      ours: () =>
        times(async () => {
          const read = await (await fetch(url, { headers })).arrayBuffer()
          if (read.byteLength !== bytes.length) throw new Error('a script was read that is not what was stored')
        }),
      theirs: () => times(async () => (await s3.send(new GetObjectCommand(key))).Body?.transformToByteArray()),
    })
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
