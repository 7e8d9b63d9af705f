import { inFolder } from '@playtherapy/object-store'
import { cases, previews, sessions, videos } from '@playtherapy/schema'
import { seedEncode, storeBackends, testStore } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { addRendition, clip, testMedia } from './support.ts'

const origin = 'http://localhost:3000'
const gone = { message: 'This link opens nothing, or nothing any more', error_code: 404 }
const pictures = { poster: Buffer.from('the bytes of a poster'), sprite: Buffer.from('the bytes of a storyboard') }

/** An encoded recording with previews, and its links. */
async function withPreviews(t: Test, backend: 'file' | 's3' = 'file') {
  const media = await testMedia(t, { store: await testStore(t, backend) })
  const { db, store, host, sessionId } = media
  const rendition = await addRendition(media, clip())
  const { paths } = await seedEncode(db, { id: rendition.videoId, path: rendition.path.replace('encoded_', '') })
  const put = (path: string, bytes: Buffer) => store.put(inFolder('video', path), bytes, { contentType: 'image/jpeg' })
  const [poster, sprite] = [await put(paths.poster, pictures.poster), await put(paths.storyboard, pictures.sprite)]
  await db.update(previews).set({
    ...{ posterSize: poster.size, posterEtag: poster.etag },
    ...{ storyboardSize: sprite.size, storyboardEtag: sprite.etag },
    storyboard: { columns: 2, rows: 2, width: 160, height: 90, seconds: 36.002, tiles: 3 },
  })
  const links = async () => {
    const response = await fetch(host.url + media.path.replace(/video$/, 'playback'), {
      method: 'POST',
      headers: media.auth,
    })
    return Object(await response.json())
  }
  const open = (path: string, headers: Record<string, string> = {}, method = 'GET') =>
    fetch(new URL(path, host.url), { method, headers })
  return { ...media, rendition, links, open, sessionId }
}

for (const backend of storeBackends) {
  t.test(`${backend}: a player shows a picture before it plays, and one for each moment`, async (t) => {
    const { links, open } = await withPreviews(t, backend)
    const { poster, storyboard } = await links()
    t.match(poster, /^\/contents\/api\/playback\/[\w-]+\.[\w-]{43}\/poster\.jpg$/)
    const described = await open(storyboard)
    t.match(
      [described.status, Object.fromEntries(described.headers)],
      [200, { 'content-type': 'text/vtt; charset=utf-8', 'cache-control': 'private, no-store' }],
    )
    t.equal(
      await described.text(),
      `WEBVTT

00:00:00.000 --> 00:00:36.002
storyboard.jpg#xywh=0,0,160,90

00:00:36.002 --> 00:01:12.004
storyboard.jpg#xywh=160,0,160,90

00:01:12.004 --> 00:01:48.006
storyboard.jpg#xywh=0,90,160,90
`,
    )
    const sprite = new URL('storyboard.jpg', described.url).pathname
    for (const [path, bytes] of [
      [poster, pictures.poster],
      [sprite, pictures.sprite],
    ]) {
      const whole = await open(path, { origin })
      t.match(
        [whole.status, Object.fromEntries(whole.headers)],
        [
          200,
          {
            'content-type': 'image/jpeg',
            'content-length': `${bytes.length}`,
            'accept-ranges': 'bytes',
            'cache-control': 'private, no-store',
            'cross-origin-resource-policy': 'cross-origin',
            'access-control-allow-origin': origin,
          },
        ],
      )
      t.same(Buffer.from(await whole.arrayBuffer()), bytes)
      const part = await open(path, { range: 'bytes=4-8' })
      t.match([part.status, part.headers.get('content-range')], [206, `bytes 4-8/${bytes.length}`])
      t.equal(await part.text(), bytes.subarray(4, 9).toString())
      const head = await open(path, {}, 'HEAD')
      t.match([head.status, head.headers.get('etag')], [200, whole.headers.get('etag')])
      const known = await open(path, { 'if-none-match': whole.headers.get('etag') ?? '' })
      t.equal(known.status, 304)
    }
    const etag = described.headers.get('etag') ?? ''
    t.equal((await open(storyboard, { 'if-none-match': etag })).status, 304)
    const head = await open(storyboard, {}, 'HEAD')
    t.match([head.status, head.headers.get('etag')], [200, etag])
  })
}

t.test('a link to a picture opens nothing else, and ends with the recording', async (t) => {
  const { db, links, open, url, auth, sessionId } = await withPreviews(t)
  const { poster, storyboard, mp4 } = await links()
  const answer = async (path: string) => {
    const response = await open(path)
    return { status: response.status, body: Object(await response.json()) }
  }
  for (const path of [
    poster.replace('poster.jpg', 'storyboard.jpg'),
    poster.replace('poster.jpg', 'video.mp4'),
    storyboard.replace('storyboard.vtt', 'poster.jpg'),
    mp4.replace('video.mp4', 'poster.jpg'),
    mp4.replace('video.mp4', 'storyboard.vtt'),
  ]) {
    t.match(await answer(path), { status: 404, body: { error_code: 404 } })
  }
  const all = [poster, storyboard, storyboard.replace('.vtt', '.jpg')]
  await db.update(cases).set({ userId: 8 })
  for (const path of all) t.match(await answer(path), { status: 404, body: gone }, 'another therapist')
  await db.update(cases).set({ userId: 7 })
  for (const path of all) t.equal((await open(path, {}, 'HEAD')).status, 200)
  const deleted = await fetch(url, { method: 'DELETE', headers: auth })
  t.equal(await deleted.json(), true)
  for (const path of all) t.match(await answer(path), { status: 404, body: gone }, 'deleted')
  t.match(await links(), { poster: null, storyboard: null })
  t.equal(await db.$count(sessions, eq(sessions.id, sessionId)), 1)
})

t.test('a newer recording that does not play yet leaves the pictures of the one that does', async (t) => {
  const { db, links, open, sessionId } = await withPreviews(t)
  const described = { container: 'mp4', size: 5, etag: '"1"', storedAt: new Date() } as const
  const [newer] = await db
    .insert(videos)
    .values({ ...described, sessionId, state: 'stored', path: 'newer' })
    .returning()
  await db.update(sessions).set({ videoId: newer?.id ?? 0, encodingStateId: 1 })
  const { poster } = await links()
  t.equal((await open(poster, {}, 'HEAD')).status, 200)
  // An old installation has none.
  await db.delete(previews)
  t.match(await links(), { mp4: /video\.mp4$/, poster: null, storyboard: null })
})
