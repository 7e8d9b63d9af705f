/** A presigned upload is accepted only if it is no copy of another therapist's recording and a plain PUT left it. */
import { announceOriginal } from '@playtherapy/intake'
import { createS3Store, type ObjectStore } from '@playtherapy/object-store'
import { outbox, sessions, videos } from '@playtherapy/schema'
import { bareBucket, randomName, seedEncode, storeBackends, testStore } from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { Value } from 'typebox/value'
import { Presigned } from '../src/upload/schemas.ts'
import { addRendition, clip, form, testMedia } from './support.ts'

const skip = storeBackends.includes('s3') ? false : 'there is no S3 server here'
const refused = { name: 'StoreFailedError' }
const type = { 'content-type': 'video/mp4' }

/** Puts an object and returns its size and ETag. */
async function keep(store: ObjectStore, bytes: Buffer) {
  const { size, etag } = await store.put(`video/LOCAL/1/1/${randomName()}.mp4`, bytes, { contentType: 'video/mp4' })
  return { size, etag }
}

/** Therapists 7 and 8, with a session each, upload by presigned URLs and announce their uploads. */
async function twoTherapists(t: Test) {
  const media = await testMedia(t, { store: await testStore(t, 's3') })
  const { db, host, store } = media
  const another = await media.addSession(8)
  const bring = async (userId: 7 | 8, bytes: Buffer, headers = {}, at = userId === 7 ? media : another) => {
    const issued = await fetch(`${host.url}${media.pathOf(at)}/presigned-url`, { headers: host.as(userId) })
    const { presigned_url, file_path } = Value.Parse(Presigned, await issued.json())
    const put = await fetch(presigned_url, { method: 'PUT', body: bytes, headers: { ...type, ...headers } })
    t.equal(put.status, 200)
    return { sessionId: at.sessionId, path: file_path, limit: 1_000_000 }
  }
  const announce = (what: Awaited<ReturnType<typeof bring>>) => announceOriginal({ db, store }, what)
  const encodes = () => db.$count(outbox, eq(outbox.name, 'encode-video'))
  return { media, another, bring, announce, encodes }
}

t.test('no URL is issued if it would allow more than a PUT', { skip }, async (t) => {
  const store = createS3Store(await bareBucket(t))
  t.teardown(() => store.close())
  const media = await testMedia(t, { store })
  const refused = await fetch(`${media.url}/presigned-url`, { headers: media.auth })
  t.match(
    [refused.status, await refused.json()],
    [503, { error_code: 10, message: /^Uploads straight to the object store are off here/ }],
  )
  t.equal(refused.headers.get('retry-after'), '60')
  t.strictSame(await media.left(), { objects: [], rows: [] }, 'nothing is left behind')
  t.equal((await media.upload(form(['file', clip()]))).status, 201, 'uploads through the service still work')
})

t.test('an upload that set more than bytes and a type is refused', { skip }, async (t) => {
  const { media, bring, announce, encodes } = await twoTherapists(t)
  const obeyed: Record<string, string>[] = [
    { 'x-amz-meta-attempt': 'x' },
    { 'x-amz-tagging': 'a=b' },
    { 'x-amz-website-redirect-location': 'https://elsewhere.example/' },
    { 'content-encoding': 'gzip' },
    { 'content-disposition': 'attachment' },
  ]
  for (const headers of obeyed) {
    await t.rejects(announce(await bring(7, clip(), headers)), refused, JSON.stringify(headers))
  }
  t.equal(await encodes(), 0)
  t.match(await media.db.select().from(sessions).where(eq(sessions.id, media.sessionId)), [{ videoId: null }])
  t.equal(
    await announce(await bring(7, clip(), { 'cache-control': 'no-cache' })),
    true,
    'open developer tools send this header',
  )
})

t.test('a possible copy of another therapist’s recording is refused', { skip }, async (t) => {
  const { media, another, bring, announce, encodes } = await twoTherapists(t)
  const { db } = media
  const bytes = clip()
  t.equal(await announce(await bring(7, bytes)), true)
  const copied = await bring(8, bytes)
  await t.rejects(announce(copied), refused, 'of an original')
  t.match(await db.select().from(videos).where(eq(videos.path, copied.path)), [{ state: 'presigned', etag: null }])

  const rendition = clip()
  const { videoId } = await addRendition(media, rendition)
  await t.rejects(announce(await bring(8, rendition)), refused, 'of a rendition')
  const [chunk, rung] = [clip(), clip()]
  const kept = { chunk: await keep(media.store, chunk), rung: await keep(media.store, rung) }
  await seedEncode(db, { id: videoId, path: 'LOCAL/1/1/1.mp4' }, kept)
  await t.rejects(announce(await bring(8, chunk)), refused, 'of a chunk')
  await t.rejects(announce(await bring(8, rung)), refused, 'of a rung')
  t.equal(await encodes(), 1)

  t.equal(
    await announce(await bring(7, bytes, {}, await media.addSession(7))),
    true,
    'a therapist may upload a file twice',
  )
  t.equal(await announce(await bring(8, clip())), true, 'another recording')
  const upload = await media.upload(form(['file', bytes]), media.host.as(8), media.pathOf(another))
  t.equal(upload.status, 201, 'the bytes themselves can be uploaded through the service')
})

t.test('an upload that is older than another’s recording is no copy of it', { skip }, async (t) => {
  const { media, bring, announce } = await twoTherapists(t)
  const bytes = clip()
  t.equal(await announce(await bring(7, bytes)), true)
  const first = await bring(8, bytes)
  const begun = async (seconds: number) => {
    const createdAt = sql`now() + make_interval(secs => ${seconds})`
    const theirs = eq(videos.sessionId, media.sessionId)
    await media.db.update(videos).set({ createdAt }).where(theirs)
  }
  await begun(600)
  await t.rejects(announce(first), refused, 'clocks may differ by a quarter of an hour')
  await begun(1_200)
  t.equal(await announce(first), true)
})
