/** A real browser plays a recording by hls.js while it is encoded. */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import {
  encodeChunk,
  finishRung,
  forgetChunks,
  planVideo,
  seedSession,
  type Teardown,
  until,
} from '@playtherapy/testing'
import { chromium, type Page } from 'playwright-core'
import t from 'tap'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'
import { makeRungs, secondOf } from './player/recording.ts'
import { testServices } from './support.ts'

/** Debian's; a machine without it leaves this test out and says so. */
const browserPath = '/usr/bin/chromium'
const absent = !existsSync(browserPath) && !process.env.CI ? 'chromium is not installed' : false
const origin = 'http://localhost:3000'

const Shown = Type.Object({
  seconds: Type.Number(),
  duration: Type.Number(),
  isSeeking: Type.Boolean(),
  hasEnded: Type.Boolean(),
  isLive: Type.Union([Type.Boolean(), Type.Null()]),
  height: Type.Number(),
  colour: Type.Union([Type.Object({ red: Type.Number(), green: Type.Number(), blue: Type.Number() }), Type.Null()]),
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
    t.ok(sought.colour && Math.abs(secondOf(sought.colour) - 21) <= 1, `${JSON.stringify(sought)}`)
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
    const finished = await shows(page, 'the end of the encode', ({ isLive }) => isLive === false)
    t.ok(finished.seconds < 33, `it is at ${finished.seconds} s`)
    await shows(page, 'what came after it', ({ seconds }) => seconds > 33)
    await page.evaluate('player.seek(46)')
    const ended = await shows(page, 'the end', ({ hasEnded }) => hasEnded)
    t.ok(Math.abs(ended.seconds - 48) < 0.3, `it ended after ${ended.seconds} s`)
    t.ok(ended.colour && Math.abs(secondOf(ended.colour) - 47) <= 1, 'with its last frame')
    t.same(
      ended.errors.filter(({ fatal, status }) => fatal || status >= 400),
      [],
    )
  },
)
