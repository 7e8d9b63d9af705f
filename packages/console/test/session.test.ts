/** The view of a session around its recording, over a network that breaks, with a worker that encodes. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { flakyLink, type Teardown, until } from '@playtherapy/testing'
import type { Page } from 'playwright-core'
import t from 'tap'
import { skip, startBrowser, startStack, type Tab } from './browser.ts'

const mebibyte = 1024 ** 2

/** Makes a recording of which a worker has to encode every frame, with 8 MiB behind it that players skip. */
async function makeRecording(file: string, seconds: number) {
  await promisify(execFile)('ffmpeg', [
    ...['-loglevel', 'error', '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`],
    ...['-c:v', 'mpeg4', '-q:v', '3', '-c:a', 'aac', file],
  ])
  const filler = Buffer.alloc(8 * mebibyte)
  filler.writeUInt32BE(filler.length)
  filler.write('free', 4)
  await writeFile(file, Buffer.concat([await readFile(file), filler]))
}

interface Shown {
  src: string
  seconds: number
  paused: boolean
  rate: number
  captions: string[]
}

/** What the player shows. */
async function shown(page: Page): Promise<Shown> {
  return JSON.parse(
    await page.evaluate(`(() => {
      const video = document.querySelector('video')
      const { currentSrc: src, currentTime: seconds, paused, playbackRate: rate } = video
      const showing = [...video.textTracks].filter(({ kind, mode }) => kind === 'captions' && mode === 'showing')
      const captions = showing.flatMap(({ activeCues }) => [...(activeCues ?? [])].map(({ text }) => text))
      return JSON.stringify({ src, seconds, paused, rate, captions })
    })()`),
  )
}
const shows = (page: Page, what: string, isSo: (now: Shown) => boolean) => until(what, () => shown(page), isSo)
const bar = (page: Page) => page.getByRole('slider', { name: 'Place in the recording' })

/** What the browser complains of, but for the network that the test has cut. */
const complaintsOf = ({ complaints }: Tab) => complaints.filter((text) => !text.includes('net::ERR_'))

async function prepare(t: Teardown) {
  const stack = await startStack(t, { workers: 1 })
  const link = await flakyLink(t, stack.url)
  const { openTab, openBeside } = await startBrowser(t, { ...stack, url: link.url.replace(/\/$/, '') })
  /** Signs in again, after the page was loaded anew. */
  const signIn = async ({ page, go }: Tab, path: string) => {
    await page.goto('about:blank')
    await page.goto(`${link.url}#token=${stack.mintToken()}`)
    await go(path)
  }
  const addSession = async () => {
    const ids = await stack.addSession()
    return { ...ids, path: `case/${ids.caseId}/session/${ids.sessionId}` }
  }
  return { ...stack, link, openTab, openBeside, signIn, addSession }
}

t.test('a session and its recording', { skip, timeout: 180_000 }, async (t) => {
  const place = await prepare(t)
  const { link, openTab, signIn, addSession } = place
  const folder = t.testdir()
  const file = join(folder, '놀이 1.mp4')
  await makeRecording(file, 90)

  t.test('an upload goes on after a cut, a pause and a new start of the page; then it is watched', async (t) => {
    const { path } = await addSession()
    const tab = await openTab({ path })
    const { page } = tab
    await page.getByText('This session has no recording yet').waitFor()
    t.strictSame(await tab.faults(), [])

    let frozen = link.freezeAfter(2 * mebibyte)
    await page.getByLabel('Choose a file').setInputFiles(file)
    await frozen
    link.cut()
    await page.getByText('The server cannot be reached').waitFor()
    t.strictSame(await tab.faults(), [])
    frozen = link.freezeAfter(2 * mebibyte)
    link.thaw()
    link.mend()
    await frozen
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.getByText('is paused').waitFor()
    link.thaw()
    frozen = link.freezeAfter(2 * mebibyte)
    await page.getByRole('button', { name: 'Go on' }).click()
    await frozen
    const asked = page.waitForEvent('dialog')
    const left = page.reload()
    const dialog = await asked
    t.equal(dialog.type(), 'beforeunload')
    await dialog.accept()
    link.thaw()
    await left
    await signIn(tab, path)
    await page.getByText('Choose the same file again').waitFor()
    const firstPatch = page.waitForRequest((request) => request.method() === 'PATCH')
    await page.getByLabel('Choose a file').setInputFiles(file)
    const offset = Number((await firstPatch).headers()['upload-offset'])
    t.ok(offset > mebibyte, `it goes on at ${offset}`)
    await page.getByText('is stored safely').waitFor()

    await page.getByRole('button', { name: 'Play', exact: true }).click()
    const first = await shows(page, 'the first frames', ({ seconds }) => seconds > 0.5)
    t.match(first.src, /^blob:/, 'by HLS, while it is encoded')
    await page.getByText('is being encoded').waitFor({ state: 'hidden' })
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    const { seconds: stopped } = await shows(
      page,
      'the MP4',
      ({ src, seconds }) => src.endsWith('/video.mp4') && seconds > 0,
    )
    t.ok(stopped > 0.5, `at the same place, ${stopped}`)

    const body = new FormData()
    const scripts = [{ start_time: '00:00:10', end_time: '00:00:30', speaker: 'C', text: 'A bear!' }]
    body.set('script', new Blob([JSON.stringify({ scripts })]), 'script.json')
    const headers = { authorization: `Bearer ${place.mintToken()}` }
    await fetch(`${place.url}/contents/api/${path}/script`, { method: 'POST', headers, body })
    await page.getByRole('button', { name: 'Captions' }).click()
    await bar(page).focus()
    for (let step = 0; step < 3; step++) await page.keyboard.press('ArrowRight')
    await shows(page, 'captions', ({ captions }) => captions.some((text) => text.includes('A bear!')))
    await page.locator('.look .tile').waitFor()
    t.strictSame(await tab.faults(), [])
    t.strictSame(complaintsOf(tab), [])
  })
})
