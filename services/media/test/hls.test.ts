import { randomBytes } from 'node:crypto'
import { encodePlans, renditions, scriptVersions, sessions, videos } from '@playtherapy/schema'
import {
  bytesOfRung,
  encodeChunk,
  finishRung,
  forgetChunks,
  planVideo,
  storeBackends,
  testStore,
} from '@playtherapy/testing'
import { eq, sql } from 'drizzle-orm'
import t from 'tap'
import { checkRung, linkOf, linksOf, type Media, segmentsIn, testFile, textOf } from './hls-support.ts'
import { testMedia } from './support.ts'

type VideoChange = Partial<typeof videos.$inferInsert>
const setVideo = (media: Media, videoId: number, change: VideoChange) =>
  media.db.update(videos).set(change).where(eq(videos.id, videoId))

const headers = () => ({ upper: randomBytes(800), lower: randomBytes(700), sound: randomBytes(600) })

for (const backend of storeBackends) {
  t.test(`${backend}: a recording plays while it is encoded, and nothing changes when it is finished`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const header = headers()
    const sound = [testFile(header.sound, 3), testFile(header.sound, 3)]
    const [beginning, rest] = sound
    const made = [2, 2, 2].map((count) => ({
      upper: testFile(header.upper, count),
      lower: testFile(header.lower, count),
    }))
    const upTo = (rung: 'upper' | 'lower', count: number) => made.slice(0, count).map((files) => files[rung])
    const [first, second, third] = made
    const videoId = await planVideo(media, [
      ['sound', 2],
      ['picture', 3],
    ])
    t.equal(await linkOf(media), undefined, 'nothing is encoded')
    await encodeChunk(media, videoId, ['picture', 0], first ?? {})
    t.equal(await linkOf(media), undefined, 'the sound is not')
    await encodeChunk(media, videoId, ['sound', 0], beginning ? { sound: beginning } : {})
    const main = (await linkOf(media)) ?? ''
    const playlist = await textOf(main)
    t.match(playlist, { status: 200, type: /^application\/vnd\.apple\.mpegurl/ })
    t.match(playlist.text, `CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=640x360`)
    t.match(playlist.text, '\nlower.m3u8\n')
    t.notMatch(playlist.text, 'SUBTITLES')

    const upper = await checkRung(t, main, 'upper', upTo('upper', 1))
    t.match(upper, '#EXT-X-PLAYLIST-TYPE:EVENT')
    t.notMatch(upper, 'ENDLIST')
    await checkRung(t, main, 'lower', upTo('lower', 1))
    const soundUrl = new URL('sound.m3u8', main)
    const soundBefore = (await textOf(soundUrl)).text
    t.equal(segmentsIn(soundBefore).length, 1 + 2, 'the sound is listed as far as the picture')
    t.notMatch(soundBefore, 'ENDLIST')

    // A gap is not skipped.
    await encodeChunk(media, videoId, ['picture', 2], third ?? {})
    t.equal(await checkRung(t, main, 'upper', upTo('upper', 1)), upper)
    await encodeChunk(media, videoId, ['picture', 1], second ?? {})
    t.equal((await textOf(new URL('upper.m3u8', main))).text, upper, 'the picture is listed as far as the sound')
    await encodeChunk(media, videoId, ['sound', 1], rest ? { sound: rest } : {})
    const whole = await checkRung(t, main, 'upper', upTo('upper', 3))
    const lines = (text: string) => text.replace(/#EXT-X-PLAYLIST-TYPE.*|#EXT-X-ENDLIST/g, '').trim()
    t.ok(lines(whole).startsWith(lines(upper)), 'it only grew')
    t.match(whole, /#EXT-X-PLAYLIST-TYPE:EVENT[\s\S]*#EXT-X-ENDLIST\n$/)
    t.match(await checkRung(t, main, 'sound', sound), 'ENDLIST')
    await setVideo(media, videoId, { state: 'failed', failure: 'It could not be joined' })
    t.equal(await checkRung(t, main, 'upper', upTo('upper', 3)), whole)
    for (const state of ['stored', 'encoding'] as const) await setVideo(media, videoId, { state, failure: null })

    for (const rung of ['upper', 'lower'] as const) await finishRung(media, videoId, rung, upTo(rung, 3))
    await finishRung(media, videoId, 'sound', sound)
    await setVideo(media, videoId, { state: 'encoded' })
    const final = whole.replace('TYPE:EVENT', 'TYPE:VOD')
    t.equal(await checkRung(t, main, 'upper', upTo('upper', 3)), final)
    await forgetChunks(media, videoId)
    t.equal(await checkRung(t, main, 'upper', upTo('upper', 3)), final)
    await checkRung(t, main, 'lower', upTo('lower', 3))
    await checkRung(t, main, 'sound', sound)
  })

  t.test(`${backend}: a rung is one file to its readers, whatever objects it consists of`, async (t) => {
    const media = await testMedia(t, { store: await testStore(t, backend) })
    const [same, other] = [randomBytes(900), randomBytes(300)]
    const files = [testFile(same, 2), testFile(same, 1), testFile(same, 0), testFile(other, 3), testFile(same, 2)]
    const videoId = await planVideo(media, [['picture', files.length + 2]])
    for (const [index, upper] of files.entries()) await encodeChunk(media, videoId, ['picture', index], { upper })
    // A chunk without a single frame has no file.
    await encodeChunk(media, videoId, ['picture', files.length], {})
    const bytes = bytesOfRung(files)
    const size = bytes.length
    const url = new URL('upper.mp4', await linkOf(media))
    const wanted: [string | undefined, status: number, start: number, end: number][] = [
      [undefined, 200, 0, size - 1],
      ['bytes=0-', 206, 0, size - 1],
      ['bytes=0-0', 206, 0, 0],
      ['bytes=-10', 206, size - 10, size - 1],
      ['bytes=1000-6000', 206, 1000, 6000],
      [`bytes=${size - 1}-999999999999999999999`, 206, size - 1, size - 1],
      ['bytes=9-3', 416, 0, -1],
      [`bytes=${size}-`, 416, 0, -1],
      ['bytes=0-1,4-5', 200, 0, size - 1],
      ['pieces=0-1', 200, 0, size - 1],
    ]
    const check = async () => {
      const tags = new Set<string | null>()
      for (const [range, status, start, end] of wanted) {
        const response = await fetch(url, { headers: range ? { range } : {} })
        const body = Buffer.from(await response.arrayBuffer())
        t.equal(response.status, status, `${range}`)
        if (status === 416) {
          t.equal(response.headers.get('content-range'), `bytes */${size}`)
          continue
        }
        t.equal(body.compare(bytes.subarray(start, end + 1)), 0, `${range}`)
        t.match(Object.fromEntries(response.headers), {
          'content-type': 'video/mp4',
          'content-length': `${end - start + 1}`,
          'accept-ranges': 'bytes',
          'cache-control': 'private, no-store',
        })
        t.equal(response.headers.get('content-encoding'), null)
        tags.add(response.headers.get('etag'))
      }
      t.equal(tags.size, 1)
      const [etag = ''] = [...tags].filter((tag) => tag !== null)
      const head = await fetch(url, { method: 'HEAD', headers: { range: 'bytes=0-4' } })
      t.match([head.status, Object.fromEntries(head.headers)], [200, { 'content-length': `${size}`, etag }])
      const conditions: [Record<string, string>, number][] = [
        [{ 'if-none-match': etag }, 304],
        [{ 'if-match': '"other"' }, 412],
        [{ range: 'bytes=0-4', 'if-range': etag }, 206],
        [{ range: 'bytes=2000-2004', 'if-range': '"other"' }, 200],
      ]
      for (const [headers, status] of conditions) {
        const response = await fetch(url, { headers })
        t.equal(response.status, status, JSON.stringify(headers))
        if (status === 200) t.equal(Buffer.from(await response.arrayBuffer()).compare(bytes), 0)
        else await response.arrayBuffer()
      }
      return etag
    }
    const before = await check()
    const last = testFile(same, 1)
    await encodeChunk(media, videoId, ['picture', files.length + 1], { upper: last })
    t.not((await fetch(url, { method: 'HEAD' })).headers.get('etag'), before, 'it has grown')
  })
}

t.test('links are for a newer recording once it can be played, and those of the older one go on with it', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const header = headers()
  const [sound, upper, newer] = [testFile(header.sound, 4), testFile(header.upper, 4), testFile(header.upper, 2)]
  const older = await planVideo(media, [
    ['sound', 1],
    ['copy', 1],
    ['lower', 2],
  ])
  await encodeChunk(media, older, ['sound', 0], { sound })
  await encodeChunk(media, older, ['lower', 0], { lower: testFile(header.lower, 2) })
  t.equal(await linkOf(media), undefined, 'its upper rung is not there yet')
  await encodeChunk(media, older, ['copy', 0], { upper })
  const main = (await linkOf(media)) ?? ''
  const variants = async (of = main) =>
    (await textOf(of)).text.split('\n').filter((line) => /^(upper|lower)\.m3u8/.test(line))
  t.same(await variants(), ['upper.m3u8'], 'the lower rung ends earlier')
  await encodeChunk(media, older, ['lower', 1], { lower: testFile(header.lower, 2) })
  const both = ['lower.m3u8', 'upper.m3u8']
  t.same(await variants(), both)
  const [rendition] = await media.db
    .insert(renditions)
    .values({
      sessionId: media.sessionId,
      videoId: older,
      path: 'r',
      size: 1,
      etag: '"r"',
      durationMs: 1,
      width: 2,
      height: 2,
    })
    .returning()
  await media.db
    .update(sessions)
    .set({ renditionId: rendition?.id ?? null })
    .where(eq(sessions.id, media.sessionId))

  const video = await planVideo(media, [
    ['sound', 1],
    ['picture', 2],
  ])
  t.same(await variants((await linkOf(media)) ?? ''), both, 'nothing of the newer one is there')
  await encodeChunk(media, video, ['sound', 0], { sound })
  await encodeChunk(media, video, ['picture', 0], { upper: newer })
  const links = await linksOf(media)
  t.match(links, { mp4: null, poster: null, hls: String }, 'all links are for the newer one')
  const newest = media.host.url + links.hls
  t.same(await variants(newest), ['upper.m3u8'])
  await checkRung(t, newest, 'upper', [newer])
  t.same(await variants(), both)
  await checkRung(t, main, 'upper', [upper])

  await media.db.update(videos).set({ state: 'failed', failure: 'Why' }).where(eq(videos.id, video))
  t.match(await linksOf(media), { mp4: String, hls: String })
  t.same(await variants((await linkOf(media)) ?? ''), both, 'new links are not for a failed one')
  t.match(await checkRung(t, newest, 'upper', [newer]), 'ENDLIST', 'a link to a failed one plays what there is of it')

  t.equal((await fetch(media.url, { method: 'DELETE', headers: media.auth })).status, 200)
  const after = await planVideo(media, [['picture', 1]])
  await encodeChunk(media, after, ['picture', 0], { upper: newer })
  t.same(await variants((await linkOf(media)) ?? ''), ['upper.m3u8'])
  for (const name of ['master.m3u8', 'upper.m3u8', 'upper.mp4']) {
    t.equal((await fetch(new URL(name, main))).status, 404, 'a link opens nothing that came after a deletion')
  }
})

t.test('a recording that is removed while its bytes are asked for is not found', async (t) => {
  const store = await testStore(t, 'file')
  let remove = async () => {}
  const get: typeof store.get = async (key, options) => {
    await remove()
    return store.get(key, options)
  }
  const media = await testMedia(t, { store: { ...store, get } })
  const videoId = await planVideo(media, [['copy', 1]])
  await encodeChunk(media, videoId, ['copy', 0], { upper: testFile(headers().upper, 2) })
  const rung = new URL('upper.mp4', await linkOf(media))
  t.equal((await fetch(rung)).status, 200)
  remove = async () => {
    await media.db.delete(encodePlans).where(eq(encodePlans.videoId, videoId))
    for await (const { key } of store.list('video/')) await store.delete([key])
  }
  const answer = await fetch(rung)
  t.equal(answer.status, 404)
  t.match(await answer.json(), { error_code: 404 })
})

t.test('bytes are read where they are, also when they have moved since they were found', async (t) => {
  const store = await testStore(t, 'file')
  let move = async () => {}
  const get: typeof store.get = async (key, options) => {
    await move()
    return store.get(key, options)
  }
  const media = await testMedia(t, { store: { ...store, get } })
  const videoId = await planVideo(media, [['copy', 1]])
  const upper = testFile(headers().upper, 2)
  await encodeChunk(media, videoId, ['copy', 0], { upper })
  const rung = new URL('upper.mp4', await linkOf(media))
  move = async () => {
    move = async () => {}
    await finishRung(media, videoId, 'upper', [upper])
    await forgetChunks(media, videoId)
  }
  const answer = await fetch(rung, { headers: { range: 'bytes=10-99' } })
  t.equal(answer.status, 206)
  t.equal(Buffer.from(await answer.arrayBuffer()).compare(upper.bytes.subarray(10, 100)), 0)
})

t.test('what was encoded of a recording before its encode failed plays to a clear end', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const header = headers()
  const videoId = await planVideo(media, [
    ['sound', 2],
    ['picture', 4],
  ])
  const rungs = () => ({ upper: testFile(header.upper, 2), lower: testFile(header.lower, 2) })
  await encodeChunk(media, videoId, ['picture', 0], rungs())
  const set = (change: VideoChange) => setVideo(media, videoId, change)
  const failed = { state: 'failed', failure: 'Why' } as const
  const retry = async () => {
    for (const state of ['stored', 'encoding'] as const) await set({ state, failure: null })
  }
  await set(failed)
  t.match(await linksOf(media), { mp4: null, hls: null }, 'nothing of it can be played')

  await retry()
  await encodeChunk(media, videoId, ['sound', 0], { sound: testFile(header.sound, 2) })
  for (const index of [1, 3]) await encodeChunk(media, videoId, ['picture', index], rungs())
  const main = (await linkOf(media)) ?? ''
  const listOf = async (name: string) => (await textOf(new URL(`${name}.m3u8`, main))).text
  const segments = async (name: string) => segmentsIn(await listOf(name)).length - 1
  const counts = async () => [await segments('upper'), await segments('lower'), await segments('sound')]
  t.same(await counts(), [2, 2, 2], 'the picture is listed as far as the sound')
  const tagOf = async () => (await fetch(new URL('upper.m3u8', main), { method: 'HEAD' })).headers.get('etag')
  const open = await tagOf()

  await set(failed)
  t.not(await tagOf(), open)
  t.same(await counts(), [2, 2, 2], 'all end together, and nothing is removed')
  for (const name of ['upper', 'lower', 'sound']) {
    t.match(await listOf(name), /#EXT-X-PLAYLIST-TYPE:EVENT[\s\S]*#EXT-X-ENDLIST\n$/, 'a retry may go on')
  }
  t.match(await linksOf(media), { mp4: null, hls: String }, 'new links are for it, too')
  for (const entry of segmentsIn(await listOf('upper'))) {
    t.equal((await fetch(new URL(entry.uri, main), { method: 'HEAD' })).status, 200)
  }

  await retry()
  t.equal(await tagOf(), open, 'a retry goes on')
  t.notMatch(await listOf('upper'), 'ENDLIST')
  await encodeChunk(media, videoId, ['sound', 1], { sound: testFile(header.sound, 6) })
  t.same(await counts(), [4, 4, 4])
})

t.test('a sound that is longer than its picture has one playlist, whatever objects it consists of', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const header = headers()
  const [upper, ...sound] = [testFile(header.upper, 2), testFile(header.sound, 5), testFile(header.sound, 1)]
  const [beginning, rest] = sound
  if (!beginning || !rest) return
  const videoId = await planVideo(media, [
    ['sound', 2],
    ['picture', 1],
  ])
  await encodeChunk(media, videoId, ['sound', 0], { sound: beginning })
  await encodeChunk(media, videoId, ['picture', 0], { upper })
  const main = (await linkOf(media)) ?? ''
  const bodies = new Map<string | null, string>()
  const check = async (segments: number) => {
    const response = await fetch(new URL('sound.m3u8', main))
    const [etag, text] = [response.headers.get('etag'), await response.text()]
    t.equal(segmentsIn(text).length, 1 + segments)
    t.equal(bodies.get(etag) ?? text, text, 'an ETag names one text')
    bodies.set(etag, text)
  }
  await check(5)
  await encodeChunk(media, videoId, ['sound', 1], { sound: rest })
  await check(6)
  await finishRung(media, videoId, 'upper', [upper])
  await check(6)
  await finishRung(media, videoId, 'sound', sound)
  await check(6)
  await forgetChunks(media, videoId)
  await check(6)
  t.match((await textOf(new URL('sound.m3u8', main))).text, /ENDLIST/)
})

t.test('what was planned anew has other ETags, also where ids and sizes are the same', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const videoId = await planVideo(media, [['picture', 2]])
  await encodeChunk(media, videoId, ['picture', 0], { upper: testFile(randomBytes(800), 2) })
  const main = (await linkOf(media)) ?? ''
  const tags = () =>
    Promise.all(
      ['master.m3u8', 'upper.m3u8', 'upper.mp4'].map(async (name) =>
        (await fetch(new URL(name, main), { method: 'HEAD' })).headers.get('etag'),
      ),
    )
  const before = await tags()
  t.same(await tags(), before)
  await media.db.update(encodePlans).set({ createdAt: sql`created_at + interval '1 second'` })
  for (const [index, tag] of (await tags()).entries()) t.not(tag, before[index])
})

t.test('a link plays the recordings of its session alone, and ends with it', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const header = headers()
  const addHls = async (place: Media) => {
    const videoId = await planVideo(place, [
      ['sound', 1],
      ['picture', 1],
    ])
    await encodeChunk(place, videoId, ['sound', 0], { sound: testFile(header.sound, 2) })
    await encodeChunk(place, videoId, ['picture', 0], {
      upper: testFile(header.upper, 2),
      lower: testFile(header.lower, 2),
    })
    return videoId
  }
  const files = ['upper', 'lower', 'sound'].flatMap((rung) => [`${rung}.m3u8`, `${rung}.mp4`])
  const statuses = async (base: string, names: string[], method = 'GET') =>
    Promise.all(
      names.map(async (name) => {
        const response = await fetch(new URL(name, base), { method })
        await response.arrayBuffer()
        return response.status
      }),
    )
  await addHls(media)
  const main = (await linkOf(media)) ?? ''
  const all = ['master.m3u8', ...files]
  t.same(new Set(await statuses(main, all)), new Set([200]))
  t.same(new Set(await statuses(main, all, 'HEAD')), new Set([200]))
  t.equal((await fetch(new URL('captions.m3u8', main))).status, 404, 'there is no script')

  const [videoId, ofOthers] = [await addHls(media), [await media.addSession(7), await media.addSession(8)]]
  for (const ids of ofOthers) {
    const foreign = await addHls({ ...media, ...ids })
    const own = { userId: 7, caseId: media.caseId, sessionId: media.sessionId }
    const main = (video: number) => media.host.linkTo({ ...own, videoId: video }, 'hls', 'master.m3u8')
    t.same(new Set(await statuses(main(videoId), files)), new Set([200]))
    t.same(new Set(await statuses(main(foreign), files)), new Set([404]))
  }
  const [, token = ''] = /playback\/([^/]+)\//.exec(main) ?? []
  const forged = main.replace(token, token.slice(0, -2))
  t.same(new Set(await statuses(forged, all)), new Set([404]))

  await media.db.delete(sessions).where(eq(sessions.id, media.sessionId))
  const answers = await Promise.all(all.map(async (name) => (await fetch(new URL(name, main))).json()))
  for (const answer of answers) t.match(answer, { error_code: 404, message: String })
})

t.test('players of other origins and Safari find what they need', async (t) => {
  const media = await testMedia(t, { store: await testStore(t, 'file') })
  const header = headers()
  const videoId = await planVideo(media, [
    ['sound', 1],
    ['picture', 2],
  ])
  await encodeChunk(media, videoId, ['sound', 0], { sound: testFile(header.sound, 4) })
  await encodeChunk(media, videoId, ['picture', 0], { upper: testFile(header.upper, 2) })
  const [script] = await media.db
    .insert(scriptVersions)
    .values({ sessionId: media.sessionId, version: 1, state: 'stored', path: 's', size: 2, etag: '"s"', userId: 7 })
    .returning()
  await media.db
    .update(sessions)
    .set({ scriptVersionId: script?.id ?? null })
    .where(eq(sessions.id, media.sessionId))
  const main = (await linkOf(media)) ?? ''
  const { text } = await textOf(main)
  t.match(text, /#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="captions",.*URI="captions\.m3u8/)
  t.match((await textOf(new URL('captions.m3u8', main))).text, /\n#EXTINF:16.000000,\ncaptions\.vtt\n#EXT-X-ENDLIST\n$/)

  const types = { m3u8: /^application\/vnd\.apple\.mpegurl/, upper: /^video\/mp4$/, sound: /^audio\/mp4$/ }
  const names: [string, RegExp][] = [
    ['master.m3u8', types.m3u8],
    ['upper.m3u8', types.m3u8],
    ['captions.m3u8', types.m3u8],
    ['upper.mp4', types.upper],
    ['sound.mp4', types.sound],
  ]
  for (const [name, type] of names) {
    for (const method of ['GET', 'HEAD']) {
      const origin = 'http://localhost:3000'
      const response = await fetch(new URL(name, main), { method, headers: { origin, 'accept-encoding': 'gzip, br' } })
      const body = await response.arrayBuffer()
      t.match(
        Object.fromEntries(response.headers),
        {
          'content-type': type,
          'content-length': /^[1-9]/,
          'access-control-allow-origin': origin,
          'access-control-expose-headers': /Content-Range/,
          'cross-origin-resource-policy': 'cross-origin',
          'referrer-policy': 'no-referrer',
          'cache-control': /no-store/,
          etag: /^"[^"]+"$/,
        },
        `${method} ${name}`,
      )
      t.equal(response.headers.get('content-encoding'), null)
      if (method === 'GET') t.equal(`${body.byteLength}`, response.headers.get('content-length'))
    }
    const known = (await fetch(new URL(name, main), { method: 'HEAD' })).headers.get('etag') ?? ''
    t.equal((await fetch(new URL(name, main), { headers: { 'if-none-match': known } })).status, 304)
  }
  const preflight = await fetch(new URL('upper.mp4', main), {
    method: 'OPTIONS',
    headers: {
      origin: 'http://localhost:3000',
      'access-control-request-method': 'GET',
      'access-control-request-headers': 'range',
    },
  })
  t.match([preflight.status, preflight.headers.get('access-control-allow-headers')], [204, /range/i])
})
