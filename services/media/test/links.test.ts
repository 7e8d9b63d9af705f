import { cases, renditions, scriptVersions, sessions } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { addRendition, clip, testMedia } from './support.ts'

type Media = Awaited<ReturnType<typeof testMedia>>

const gone = { message: 'This link opens nothing, or nothing any more', error_code: 404 }
const origin = 'http://localhost:3000'

/** Asks for the links of the session. */
async function linksOf(media: Media, path = media.path.replace(/video$/, 'playback'), headers = {}) {
  const response = await fetch(media.host.url + path, { method: 'POST', headers: { ...media.auth, ...headers } })
  return { status: response.status, body: Object(await response.json()) }
}

/** Opens the MP4 of the links; without a header unless some are given. */
const open = (media: Media, path: string, headers: Record<string, string> = {}, method = 'GET') =>
  fetch(media.host.url + path, { method, headers })

async function answerOf(asked: Promise<Response>) {
  const response = await asked
  const body: unknown = await response.json()
  return { status: response.status, body }
}

async function withLink(...[t, options]: Parameters<typeof testMedia>) {
  const media = await testMedia(t, options)
  const bytes = clip(300_000)
  const rendition = await addRendition(media, bytes)
  const { body } = await linksOf(media)
  return { media, bytes, rendition, mp4: String(body.mp4) }
}

for (const backend of storeBackends) {
  t.test(`${backend}: a link plays the recording as its own route does`, async (t) => {
    const { media, bytes, rendition, mp4 } = await withLink(t, { store: await testStore(t, backend) })
    const { etag } = rendition
    const asked: Record<string, string>[] = [
      {},
      { range: 'bytes=0-' },
      { range: 'bytes=1000-2000' },
      { range: 'bytes=-500' },
      { range: 'bytes=0-4', 'if-range': etag },
      { range: 'bytes=0-4', 'if-range': '"other"' },
      { range: `bytes=${bytes.length}-` },
      { range: 'bytes=0-1,5-6' },
      { 'if-none-match': etag },
      { 'if-match': '"other"' },
      { 'if-match': etag, origin },
      { authorization: 'Bearer undefined' },
    ]
    for (const headers of asked) {
      for (const method of ['GET', 'HEAD']) {
        const what = `${method} ${JSON.stringify(headers)}`
        const [own, link] = await Promise.all([
          open(media, media.path, { ...headers, ...media.auth }, method),
          open(media, mp4, headers, method),
        ])
        const of = ({ headers }: Response) => {
          const {
            date,
            'x-request-id': id,
            'cross-origin-resource-policy': policy,
            ...rest
          } = Object.fromEntries(headers)
          return rest
        }
        t.equal(link.status, own.status, what)
        t.same(of(link), of(own), what)
        const [a, b] = await Promise.all([own.arrayBuffer(), link.arrayBuffer()])
        t.equal(Buffer.from(b).compare(Buffer.from(a)), 0, what)
        if (link.ok) t.equal(link.headers.get('cross-origin-resource-policy'), 'cross-origin', what)
      }
    }
  })
}

t.test('a link whose object is lost tells its own name, and not that of the object', async (t) => {
  const { media, rendition, mp4 } = await withLink(t, { store: await testStore(t, 'file') })
  await media.store.delete([`video/${rendition.path}`])
  const failed = { message: 'File [video.mp4] Download failed.', error_code: 1001 }
  t.match(await answerOf(open(media, mp4)), { status: 400, body: failed })
})

t.test('what is not there has no link, and what comes has one', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const none = { mp4: null, hls: null, poster: null, storyboard: null, captions: null, video_id: null }
  const { status, body } = await linksOf(media)
  t.match({ status, body }, { status: 200, body: none })
  const seconds = (Date.parse(body.expires_at) - Date.now()) / 1000
  t.ok(seconds > 21_500 && seconds <= 21_600, 'six hours')
  const { videoId } = await addRendition(media, clip())
  const [version] = await media.db
    .insert(scriptVersions)
    .values({ sessionId: media.sessionId, version: 1, state: 'stored', path: 'p', size: 1, etag: '"e"', userId: 7 })
    .returning()
  await media.db.update(sessions).set({ scriptVersionId: version?.id ?? null })
  t.match((await linksOf(media)).body, {
    ...none,
    mp4: /^\/contents\/api\/playback\/[\w-]+\.[\w-]{43}\/video\.mp4$/,
    captions: /^\/contents\/api\/playback\/[\w-]+\.[\w-]{43}\/captions\.vtt$/,
    video_id: videoId,
  })
})

t.test('links are given to the therapist of the session alone', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const path = media.path.replace(/video$/, 'playback')
  t.match(await linksOf(media, path, media.host.as(8)), { status: 400, body: { error_code: 2 } })
  t.match(await linksOf(media, path.replace(/session\/\d+/, 'session/99')), { status: 400, body: { error_code: 3 } })
  t.match(await linksOf(media, path, { authorization: '' }), { status: 401, body: { error_code: 0 } })
  for (const body of ['{}', '{"a":1}']) {
    const headers = { ...media.auth, 'content-type': 'application/json' }
    t.equal((await fetch(media.host.url + path, { method: 'POST', headers, body })).status, 200, body)
  }
  t.equal((await open(media, path, media.auth)).status, 405)
})

t.test('a link ends with its session, its case, its recording and its therapist', async (t) => {
  const { media, rendition, mp4 } = await withLink(t, { store: await testStore(t, 'file') })
  const { db, sessionId } = media
  t.equal((await open(media, mp4, {}, 'HEAD')).status, 200)
  const ended = { status: 404, body: gone }
  await db.update(cases).set({ userId: 8 })
  t.same(await answerOf(open(media, mp4)), ended, 'another therapist')
  await db.update(cases).set({ userId: 7 })
  t.equal((await open(media, mp4, {}, 'HEAD')).status, 200)

  const other = await media.addSession(7)
  await db.update(sessions).set({ renditionId: null }).where(eq(sessions.id, sessionId))
  t.same(await answerOf(open(media, mp4)), ended, 'no rendition')
  await db.update(sessions).set({ renditionId: rendition.id }).where(eq(sessions.id, sessionId))
  t.equal((await open(media, mp4, {}, 'HEAD')).status, 200)

  const deleted = await fetch(media.url, { method: 'DELETE', headers: media.auth })
  t.equal(await deleted.json(), true)
  t.same(await answerOf(open(media, mp4)), ended, 'recording deleted')
  t.equal((await open(media, mp4, {}, 'HEAD')).status, 404)
  await addRendition(media, clip())
  t.same(await answerOf(open(media, mp4)), ended, 'a recording that came after the deletion')

  const again = await addRendition({ ...media, ...other }, clip())
  const path = media.pathOf(other)
  const second = String((await linksOf(media, path.replace(/video$/, 'playback'))).body.mp4)
  t.equal((await open(media, second, {}, 'HEAD')).status, 200)
  t.same(await answerOf(open(media, mp4)), ended, 'a link opens no other session')
  await db.delete(sessions).where(eq(sessions.id, other.sessionId))
  t.same(await answerOf(open(media, second)), ended, 'session deleted')
  t.equal(await db.$count(renditions, eq(renditions.id, again.id)), 0)
})

t.test('a link opens its own purpose, by its own methods', async (t) => {
  const { media, mp4 } = await withLink(t, { store: await testStore(t, 'file') })
  for (const file of ['captions.vtt', 'poster.jpg', 'master.m3u8', 'upper.mp4', 'script.vtt', '']) {
    t.match(
      await answerOf(open(media, mp4.replace('video.mp4', file))),
      { status: 404, body: { error_code: 404 } },
      file,
    )
  }
  const posted = await open(media, mp4, {}, 'POST')
  t.match([posted.status, posted.headers.get('allow')], [405, 'GET, HEAD, OPTIONS'])
  const asked = { origin, 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' }
  const preflight = await open(media, mp4, asked, 'OPTIONS')
  t.match(
    [preflight.status, Object.fromEntries(preflight.headers)],
    [204, { 'access-control-allow-origin': origin, 'access-control-allow-headers': /Range/ }],
  )
  const elsewhere = await open(media, mp4, { origin: 'http://evil.example' }, 'HEAD')
  t.equal(elsewhere.headers.get('access-control-allow-origin'), null)
  const refused = await open(media, mp4.replace('.', '.A'), { origin })
  t.match([refused.status, refused.headers.get('access-control-allow-origin')], [404, origin], 'a page can read why')
})

t.test('with `download` a browser saves the file, named after the session', async (t) => {
  const { media, mp4 } = await withLink(t, { store: await testStore(t, 'file') })
  await media.db.update(sessions).set({ name: '회기 1/2: "a"' })
  for (const query of ['?download', '?download=1']) {
    const { headers } = await open(media, mp4 + query, {}, 'HEAD')
    t.match(headers.get('content-disposition'), /^attachment; filename=.*filename\*=UTF-8''.*1_2_%20_a_\.mp4$/, query)
  }
  t.equal((await open(media, `${mp4}?x=download`, {}, 'HEAD')).headers.get('content-disposition'), 'inline')
})
