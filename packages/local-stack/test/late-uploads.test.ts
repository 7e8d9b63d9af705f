import { createHash, randomBytes } from 'node:crypto'
import { request } from 'node:http'
import { inFolder } from '@playtherapy/object-store'
import { disagreements, hideVersions, storeBackends, testBucket, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { record, recordingPlace } from './recording-place.ts'

const [announced, other] = await Promise.all([record(1), record(3)])
const places = storeBackends.flatMap((backend) => (backend === 's3' ? ['s3', 's3 with versions'] : [backend]))

async function bucketFor(t: Test, place: string) {
  if (place === 'file') return undefined
  const bucket = await testBucket()
  if (place === 's3 with versions') await hideVersions(t, bucket, 'Enabled', [])
  return bucket
}

const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

for (const place of places) {
  t.test(`${place}: what is put to a presigned URL after its announcement changes nothing`, async (t) => {
    const bucket = await bucketFor(t, place)
    const { sql, store, call, addSession, issue, put, read, encoded, startWorker } = await recordingPlace(t, bucket)
    const session = await addSession()
    const { url, path } = await issue(session)
    t.match(await put(url, randomBytes(1_000)), { status: 200 })
    t.match(await put(url, announced), { status: 200 }, 'a PUT may be repeated before')

    // A PUT that begins before the announcement and ends after it.
    const slow = request(url, {
      method: 'PUT',
      headers: { 'content-type': 'video/mp4', 'content-length': other.length },
    })
    const ended = new Promise<number>((resolve) => {
      slow.on('response', (response) => resolve(response.resume().statusCode ?? 0)).on('error', () => resolve(0))
    })
    slow.write(other.subarray(0, 1_000))
    const body = { data: { name: 'First', origin_video_url: path } }
    t.match(await call('PUT', session, body), [200, { origin_video_url: path, encoding_state_id: 1 }])
    slow.end(other.subarray(1_000))
    const during = await ended
    const late = await put(url, other)
    if (!bucket) t.match([during, late], [403, { status: 403, text: /has ended/ }], 'the folder refuses it')

    const stored = async () => {
      const chunks: Uint8Array[] = []
      for await (const chunk of await store.get(inFolder('video', path))) chunks.push(chunk)
      return hashOf(Buffer.concat(chunks))
    }
    t.equal(await stored(), hashOf(announced))
    startWorker()
    await until('an encode', async () => {
      await put(url, other)
      return (await read(session)).encoding_state_id !== 1
    })
    t.match(await encoded(session), { encoding_state_id: 3, video_length: '00:00:01' })
    await put(url, other)
    t.equal(await stored(), hashOf(announced))
    t.match(await call('PUT', session, body), [200, { encoding_state_id: 3 }], 'it is announced once')

    // A day later.
    await sql`update outbox set available_at = now() where name = 'sweep-presigned'`
    const settled = await until(
      'the end of every job',
      () => disagreements(sql, store),
      ({ stuck }) => stuck.length === 0,
    )
    t.strictSame(settled, { lost: [], orphaned: [], stuck: [] })
    for await (const { key } of store.unfinished('video/')) t.fail(`${key} is kept`)
  })
}
