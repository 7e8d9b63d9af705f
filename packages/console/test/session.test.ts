/** The view of a session around its recording, over a network that breaks, with a worker that encodes. */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { flakyLink, type Teardown, until } from '@playtherapy/testing'
import type { Page } from 'playwright-core'
import t from 'tap'
import { skip, startBrowser, startStack, type Tab } from './browser.ts'
import { makeRecording } from './recording.ts'

const mebibyte = 1024 ** 2
/** An encode takes some seconds, and longer beside other tests. */
const encodes = { timeout: 60_000 }

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
      const video = document.querySelector('video') ?? document.createElement('video')
      const { currentSrc: src, currentTime: seconds, paused, playbackRate: rate } = video
      const showing = [...video.textTracks].filter(({ kind, mode }) => kind === 'captions' && mode === 'showing')
      const captions = showing.flatMap(({ activeCues }) => [...(activeCues ?? [])].map(({ text }) => text))
      return JSON.stringify({ src, seconds, paused, rate, captions })
    })()`),
  )
}
const shows = (page: Page, what: string, isSo: (now: Shown) => boolean) => until(what, () => shown(page), isSo)
/** Resolves when what has happened in the page is drawn. */
const drawn = (page: Page) =>
  page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
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

t.test('a session and its recording', { skip, timeout: 300_000 }, async (t) => {
  const folder = t.testdir()
  const file = join(folder, '놀이 1.mp4')
  const short = join(folder, 'short.mp4')
  const shortest = join(folder, 'shortest.mp4')
  const lengths: [string, number][] = [
    [short, 20],
    [shortest, 8],
    [file, 90],
  ]
  const [place] = await Promise.all([prepare(t), ...lengths.map(([name, seconds]) => makeRecording(name, seconds))])
  const { link, openTab, signIn, addSession } = place
  const upload = async (path: string, name: string) => {
    const body = new FormData()
    body.set('file', new Blob([await readFile(name)]), 'a.mp4')
    const headers = { authorization: `Bearer ${place.mintToken()}` }
    await fetch(`${place.url}/contents/api/${path}/video`, { method: 'POST', headers, body })
  }

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
    await page.getByText('has arrived and is stored safely').waitFor()

    await page.getByRole('button', { name: 'Play', exact: true }).click(encodes)
    const first = await shows(page, 'the first frames', ({ seconds }) => seconds > 0.5)
    t.match(first.src, /^blob:/, 'by HLS, while it is encoded')
    await page.getByText('is being encoded').waitFor({ state: 'hidden', ...encodes })
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
    // A slow machine has played past the captions meanwhile.
    await page.keyboard.press('0')
    for (let step = 0; step < 3; step++) await page.keyboard.press('ArrowRight')
    await shows(page, 'captions', ({ captions }) => captions.some((text) => text.includes('A bear!')))
    await page.locator('.look .tile').waitFor()
    t.strictSame(await tab.faults(), [])
    t.strictSame(complaintsOf(tab), [])
  })

  t.test(
    'keys work the player, and not where somebody writes; a link that opens nothing is renewed at its place',
    async (t) => {
      const { path } = await addSession()
      await upload(path, short)
      await until('the encode', async () => Object(await place.call('GET', `/${path}`)).encoding_state_id === 3)
      const tab = await openTab({ path: `${path}?at=12.5` })
      const { page } = tab
      await shows(page, 'the second of the link', ({ src, seconds }) => src.endsWith('/video.mp4') && seconds === 12.5)
      const press = async (key: string, what: string, isSo: (now: Shown) => boolean) => {
        await page.keyboard.press(key)
        await shows(page, `${key}: ${what}`, isSo)
      }
      await press('l', 'ahead', ({ seconds }) => seconds === 17.5)
      await press('ArrowLeft', 'back', ({ seconds }) => seconds === 12.5)
      await press('5', 'the middle', ({ seconds }) => Math.abs(seconds - 10) < 0.1)
      await press('k', 'plays', ({ paused, seconds }) => !paused && seconds > 10.5)
      await press(' ', 'stands', ({ paused }) => paused)
      const before = (await shown(page)).seconds
      await press('.', 'the next frame', ({ seconds }) => seconds > before && seconds < before + 0.1)
      await page.getByRole('combobox', { name: 'Speed' }).selectOption('1.5')

      await page.evaluate(`document.body.append(Object.assign(document.createElement('textarea'), { id: 'typed' }))`)
      await page.locator('#typed').pressSequentially('k 5,')
      t.equal(await page.locator('#typed').inputValue(), 'k 5,')
      const { src: old, seconds: at } = await shown(page)
      await page.evaluate(`document.querySelector('#typed').remove()`)

      await page.route(old, (route) => route.fulfill({ status: 404 }))
      await page.evaluate(`document.querySelector('video').src += ''`)
      const again = await shows(page, 'a new link', ({ src, seconds }) => src !== old && seconds > 0)
      t.match(again, { rate: 1.5, paused: true })
      t.ok(Math.abs(again.seconds - at) < 0.1, `${again.seconds} is ${at}`)

      for (const days of [1, -1]) {
        const wrong = await openTab({ path: 'cases' })
        await wrong.page.clock.install({ time: Date.now() + days * 86_400_000 })
        let asked = 0
        wrong.page.on('request', (request) => request.url().endsWith('/playback') && asked++)
        await wrong.go(path)
        await shows(wrong.page, 'the MP4', ({ src }) => src.endsWith('/video.mp4'))
        await wrong.page.locator('track[kind=metadata]').waitFor({ state: 'attached' })
        const first = asked
        for (let hour = 0; hour < 5; hour++) await wrong.page.clock.fastForward('01:00:00')
        await drawn(wrong.page)
        t.equal(asked, first, 'links are kept while they are valid')
        await wrong.page.clock.fastForward('01:00:00')
        await until('newer links', () => asked > first)
        await wrong.page.close()
      }
    },
  )

  t.test('a file that is no video is refused; a recording is replaced while it is watched, and deleted', async (t) => {
    const { path } = await addSession()
    const tab = await openTab({ path })
    const { page } = tab
    const text = join(folder, 'large.mp4')
    await writeFile(text, Buffer.alloc(20 * mebibyte, 'no video '))
    await page.getByLabel('Choose a file').setInputFiles(text)
    await page.getByText('not a video that can be read').waitFor()
    t.strictSame(await tab.faults(), [])
    await page.getByRole('button', { name: 'Choose another file' }).click()
    await page.getByLabel('Choose a file').setInputFiles(shortest)
    await page.getByRole('button', { name: 'Close this message' }).click()
    const { src: first } = await shows(page, 'the MP4', ({ src }) => src.endsWith('/video.mp4'))
    await page.getByRole('button', { name: 'Play', exact: true }).click()
    await shows(page, 'that it is watched', ({ seconds }) => seconds > 0)
    await page.getByRole('button', { name: /^(Play|Pause)$/ }).click()

    await page.getByText('Replace or delete the recording').click()
    await page.getByLabel('Choose a file').setInputFiles(shortest)
    await page.getByRole('button', { name: 'Replace the recording' }).click()
    await page.getByText('A newer recording of this session can be watched now').waitFor(encodes)
    t.equal((await shown(page)).src, first, 'the older one stays until somebody wants the newer one')
    await page.getByRole('button', { name: 'Show the newer one' }).click()
    await shows(page, 'the newer one', ({ src, seconds }) => src !== first && seconds === 0)

    await page.getByRole('button', { name: 'Close this message' }).click()
    const { isOpen } = Object(await page.evaluate(`({ isOpen: document.querySelector('details').open })`))
    if (!isOpen) await page.getByText('Replace or delete the recording').click()
    await page.getByRole('button', { name: 'Delete the recording' }).click()
    t.strictSame(await tab.faults(), [])
    await page.getByLabel('Type “delete”').fill('delete')
    await page.getByRole('dialog').getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByText('This session has no recording yet').waitFor()
  })
})
