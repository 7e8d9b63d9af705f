/** A page of another origin plays, subtitles and saves a recording by signed links, without a token. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { sessions } from '@playtherapy/schema'
import { seedSession, until } from '@playtherapy/testing'
import { chromium } from 'playwright-core'
import t from 'tap'
import { seedVideo, testServices } from './support.ts'

/** Debian's; a machine without it leaves this test out and says so. */
const browserPath = '/usr/bin/chromium'
const absent = !existsSync(browserPath) && !process.env.CI ? 'chromium is not installed' : false
const origin = 'http://localhost:3000'

/** A recording of six seconds. */
async function recording(directory: string): Promise<Buffer> {
  const file = join(directory, 'a.mp4')
  await promisify(execFile)('ffmpeg', [
    ...['-loglevel', 'error', '-f', 'lavfi', '-i', 'testsrc2=size=320x180:rate=10:duration=6'],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-movflags', '+faststart', file],
  ])
  return readFile(file)
}

t.test('a page of another origin plays and saves a recording by links', { skip: absent }, async (t) => {
  const services = await testServices(t)
  const { caseId, sessionId } = await seedSession(services.db, 7)
  const bytes = await recording(t.testdir())
  await seedVideo(services, sessionId, bytes)
  await services.db.update(sessions).set({ name: '첫 회기' })
  const session = `${services.url}/contents/api/case/${caseId}/session/${sessionId}`
  const headers = services.as(7)
  const script = new FormData()
  const scripts = [
    { start_time: '00:00:00', end_time: '00:00:05', speaker: 'T', text: 'What is it?' },
    { start_time: '00:00:02', end_time: '00:00:04', speaker: 'C', text: 'A bear!' },
  ]
  script.set('script', new Blob([JSON.stringify({ scripts })]), 'script.json')
  t.equal((await fetch(`${session}/script`, { method: 'POST', headers, body: script })).status, 200)
  const answer = await fetch(`${session}/playback`, { method: 'POST', headers })
  const { mp4, captions } = Object(await answer.json())

  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-features=LocalNetworkAccessChecks'],
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const body = `<video id="plain" muted src="${services.url}${mp4}"></video>
    <video id="cors" muted controls crossorigin src="${services.url}${mp4}">
      <track default kind="captions" srclang="ko" src="${services.url}${captions}"></video>
    <a href="${services.url}${mp4}?download">save</a>`
  // A page that is isolated loads nothing of another origin that does not say that it may.
  const isolated = { 'cross-origin-embedder-policy': 'require-corp', 'cross-origin-opener-policy': 'same-origin' }
  await page.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body, headers: isolated }))
  await page.goto(origin)
  const shown = (id: string) =>
    page.evaluate(`(() => {
      const video = document.getElementById('${id}')
      const cues = [...(video.textTracks[0]?.activeCues ?? [])].map(({ text }) => text)
      return { length: video.duration, at: video.currentTime, ready: video.readyState, cues }
    })()`)
  for (const id of ['plain', 'cors']) {
    const played = await until(
      `a picture of ${id}`,
      () => shown(id),
      (state) => Object(state).ready >= 2,
    )
    t.match(played, { length: 6 }, id)
  }
  await page.evaluate(`document.getElementById('cors').currentTime = 3`)
  const cues = await until(
    'captions',
    () => shown('cors'),
    (state) => Object(state).cues.length > 0,
  )
  t.same(Object(cues).cues, ['<v T>What is it?</v>\n<v C>A bear!</v>'], 'one cue with both speakers')

  const saved = page.waitForEvent('download')
  await page.getByText('save').click()
  const download = await saved
  t.equal(download.suggestedFilename(), '첫 회기.mp4')
  t.equal((await readFile(await download.path())).compare(bytes), 0)

  t.equal((await fetch(`${session}/video`, { method: 'DELETE', headers })).status, 200)
  const status = (path: string) => page.evaluate(`fetch('${services.url}${path}').then(({ status }) => status)`)
  t.same([await status(mp4), await status(captions)], [404, 200], 'a page can read that the recording is deleted')
})
