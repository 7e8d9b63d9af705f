/** A real browser plays a recording by hls.js while it is encoded. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { videos } from '@playtherapy/schema'
import {
  encodeChunk,
  finishRung,
  forgetChunks,
  planVideo,
  seedSession,
  type Teardown,
  until,
} from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import { chromium, type Page } from 'playwright-core'
import t from 'tap'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { makeFilm, makeRungs, secondOf } from './player/recording.ts'
import { recordingPlace } from './recording-place.ts'
import { testServices } from './support.ts'

/** Debian's; a machine without it leaves this test out and says so. */
const browserPath = '/usr/bin/chromium'
const absent = !existsSync(browserPath) && !process.env.CI ? 'chromium is not installed' : false
const origin = 'http://localhost:3000'

const Colour = Type.Object({ red: Type.Number(), green: Type.Number(), blue: Type.Number() })
const Shown = Type.Object({
  seconds: Type.Number(),
  duration: Type.Number(),
  isSeeking: Type.Boolean(),
  hasEnded: Type.Boolean(),
  isLive: Type.Union([Type.Boolean(), Type.Null()]),
  height: Type.Number(),
  colour: Type.Union([Colour, Type.Null()]),
  captions: Type.Array(Type.String()),
  rungs: Type.Array(Type.Number()),
  errors: Type.Array(Type.Object({ details: Type.String(), fatal: Type.Boolean(), status: Type.Number() })),
})
type Shown = Static<typeof Shown>

/** A page of the client's origin with hls.js and `page.html`. */
async function openPlayer(t: Teardown) {
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--autoplay-policy=no-user-gesture-required',
      '--mute-audio',
      '--no-first-run',
      // The page comes from no address, and may call none of this machine without being asked.
      '--disable-features=LocalNetworkAccessChecks',
    ],
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const body = await readFile(new URL('./player/page.html', import.meta.url), 'utf8')
  await page.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body }))
  await page.goto(origin)
  await page.addScriptTag({ path: fileURLToPath(import.meta.resolve('hls.js/dist/hls.min.js')) })
  return page
}

const now = async (page: Page): Promise<Shown> => Value.Parse(Shown, await page.evaluate('player.now()'))
const shows = (page: Page, what: string, isSo: (shown: Shown) => boolean) => until(what, () => now(page), isSo)

t.test(
  'a recording plays while it is encoded, and on without a reload when it is finished',
  { skip: absent },
  async (t) => {
    const services = await testServices(t)
    const ids = await seedSession(services.db, 7)
    const place = { ...services, ...ids }
    const rungs = await makeRungs(48, 8)
    const videoId = await planVideo(place, [
      ['sound', 1],
      ['picture', 6],
    ])
    const encode = (index: number) => {
      const [upper, lower] = [rungs.upper[index], rungs.lower[index]]
      return encodeChunk(place, videoId, ['picture', index], { ...(upper && { upper }), ...(lower && { lower }) })
    }
    const session = `${services.url}/contents/api/case/${ids.caseId}/session/${ids.sessionId}`
    const records = [0, 10, 20, 30, 40].map((second) => ({
      start_time: `00:00:${second || '00'}`,
      end_time: `00:00:${second + 9}`.replace(/:(\d)$/, ':0$1'),
      speaker: 'T',
      text: `from ${second}`,
    }))
    const form = new FormData()
    form.set('script', new Blob([JSON.stringify({ scripts: records })]), 'script.json')
    t.equal((await fetch(`${session}/script`, { method: 'POST', headers: services.as(7), body: form })).status, 200)

    await encodeChunk(place, videoId, ['sound', 0], rungs.sound[0] ? { sound: rungs.sound[0] } : {})
    await encode(0)
    const answer = await fetch(`${session}/playback`, { method: 'POST', headers: services.as(7) })
    const { hls } = Object(await answer.json())

    const page = await openPlayer(t)
    await page.evaluate(`player.open(${JSON.stringify(services.url + hls)})`)
    const first = await shows(page, 'the first frames', ({ seconds, colour }) => seconds > 0.5 && colour !== null)
    t.equal(first.isLive, true, 'it is being encoded')
    t.ok(first.seconds < 5, `it began at its beginning, and is at ${first.seconds} s`)
    await page.evaluate('player.showCaptions()')
    await shows(page, 'captions', ({ captions }) => captions.some((text) => text.includes('from 0')))

    for (const index of [1, 2]) await encode(index)
    await shows(page, 'what was encoded meanwhile', ({ duration }) => duration >= 23)
    await page.evaluate('player.seek(21.5)')
    const sought = await shows(
      page,
      'the last chunk',
      ({ isSeeking, seconds, colour }) => !isSeeking && colour !== null && seconds > 21,
    )
    t.ok(sought.colour && secondOf(sought.colour) === 20, `${JSON.stringify(sought)}`)
    await shows(page, 'its captions', ({ captions }) => captions.some((text) => text.includes('from 20')))

    t.equal(sought.rungs.at(-1), 360, 'the upper rung')
    const connection = await page.context().newCDPSession(page)
    const throttle = (bytesPerSecond: number) =>
      connection.send('Network.emulateNetworkConditions', {
        ...{ offline: false, latency: 20, uploadThroughput: -1, downloadThroughput: bytesPerSecond },
      })
    await connection.send('Network.enable')
    await throttle(125_000)
    await encode(3)
    await shows(page, 'the lower rung on a slow connection', ({ rungs }) => rungs.at(-1) === 180)
    await throttle(-1)

    for (const index of [4, 5]) await encode(index)
    await finishRung(place, videoId, 'upper', rungs.upper)
    await finishRung(place, videoId, 'lower', rungs.lower)
    await finishRung(place, videoId, 'sound', rungs.sound)
    await forgetChunks(place, videoId)
    await shows(page, 'the end of the encode', ({ isLive }) => isLive === false)
    await shows(page, 'what came after it', ({ seconds }) => seconds > 33)
    await page.evaluate('player.seek(46)')
    const ended = await shows(page, 'the end', ({ hasEnded }) => hasEnded)
    t.ok(Math.abs(ended.seconds - 48) < 0.3, `it ended after ${ended.seconds} s`)
    t.ok(ended.colour && secondOf(ended.colour) === 46, 'with its last frame')
    t.same(
      ended.errors.filter(({ fatal, status }) => fatal || status >= 400),
      [],
    )
  },
)

t.test(
  'where an encode fails, a player plays as far as both picture and sound are there',
  { skip: absent },
  async (t) => {
    const services = await testServices(t)
    const ids = await seedSession(services.db, 7)
    const place = { ...services, ...ids }
    const rungs = await makeRungs(16, 8)
    const [sound] = rungs.sound
    const videoId = await planVideo(place, [
      ['sound', 2],
      ['picture', 6],
    ])
    for (const index of [0, 1]) {
      const upper = rungs.upper[index]
      await encodeChunk(place, videoId, ['picture', index], upper ? { upper } : {})
    }
    // The sound ends 8 s before the picture.
    const segments = sound?.segments.slice(0, 2) ?? []
    const bytes = sound?.bytes.subarray(0, sound.header.length + segments.reduce((sum, [, length]) => sum + length, 0))
    await encodeChunk(place, videoId, ['sound', 0], sound && bytes ? { sound: { ...sound, segments, bytes } } : {})
    const session = `${services.url}/contents/api/case/${ids.caseId}/session/${ids.sessionId}`
    const answer = await fetch(`${session}/playback`, { method: 'POST', headers: services.as(7) })
    const { hls } = Object(await answer.json())

    const page = await openPlayer(t)
    await page.evaluate(`player.open(${JSON.stringify(services.url + hls)})`)
    const before = await shows(page, 'the first frames', ({ seconds }) => seconds > 4)
    t.equal(before.isLive, true)
    await services.db.update(videos).set({ state: 'failed', failure: 'Why' }).where(eq(videos.id, videoId))
    const ended = await shows(page, 'the end', ({ hasEnded }) => hasEnded)
    t.ok(Math.abs(ended.seconds - 8) < 0.3, `it ended after ${ended.seconds} s`)
    t.same(
      ended.errors.filter(({ fatal, status }) => fatal || status >= 400),
      [],
    )
  },
)

/** Recordings that the worker encodes, or copies, where frames are not shown in the order of the file. */
const films = { encoded: '-c:v mpeg4 -q:v 4 -g 10', copied: '-c:v libx264 -bf 2 -g 30 -pix_fmt yuv420p' }

t.test('what the worker makes is shown at its time, with a tile for each', { skip: absent }, async (t) => {
  const place = await recordingPlace(t)
  const sessions = await Promise.all(
    Object.entries(films).map(async ([kind, codec]) => {
      const session = await place.addSession()
      t.match(await place.upload(session, await makeFilm(64, codec.split(' '))), [201], kind)
      return { kind, session }
    }),
  )
  place.startWorker()
  const page = await openPlayer(t)
  for (const { kind, session } of sessions) {
    const links = async () => {
      const [, answer] = await place.call('POST', `${session}/playback`)
      return Object(answer)
    }
    const { hls } = await until('the first chunk', links, ({ hls }) => typeof hls === 'string')
    await page.evaluate(`player.open(${JSON.stringify(place.host.url + hls)})`)
    await shows(page, 'the first frames', ({ seconds, duration }) => seconds > 0.5 && duration > 3)
    await shows(page, 'the end of the encode', ({ isLive }) => isLive === false)
    for (const wanted of [1, 13, 31, 61]) {
      await page.evaluate(`player.seek(${wanted})`)
      // A frame is painted some time after the seek has ended.
      const isThere = ({ isSeeking, colour }: Shown) => !isSeeking && colour !== null && secondOf(colour) === wanted - 1
      const { colour } = await shows(page, `the picture at ${wanted} s`, isThere)
      t.equal(colour && secondOf(colour), wanted - 1, `${kind}: the picture at ${wanted} s`)
    }
    const { duration, errors } = await now(page)
    t.ok(Math.abs(duration - 64) < 0.2, `${kind}: it lasts ${duration} s`)
    t.same(
      errors.filter(({ fatal, status }) => fatal || status >= 400),
      [],
    )
    const { storyboard } = await until('the storyboard', links, ({ storyboard }) => typeof storyboard === 'string')
    for (const wanted of [1, 21, 61]) {
      const colour = await page.evaluate(`player.tile(${JSON.stringify(place.host.url + storyboard)}, ${wanted})`)
      t.equal(secondOf(Value.Parse(Colour, colour)), wanted - 1, `${kind}: the tile of ${wanted} s`)
    }
  }
})
