/** The whole story as a therapist lives it, in one browser: from the link of npm start to the deletion of the case. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { flakyLink, until } from '@playtherapy/testing'
import t from 'tap'
import { buildConsole } from '../build.ts'
import { skip, startBrowser, startStack } from './browser.ts'
import { checkPicture } from './picture.ts'
import { makeRecording } from './recording.ts'

/** The most bytes, as they are sent, of what the list of cases needs, of what a session needs, and of everything; hls.js is apart. */
const most = { first: 45_000, session: 120_000, all: 128_000 }
const mebibyte = 1024 ** 2

t.test('the page is small', async (t) => {
  const files = await buildConsole()
  const page = Buffer.from(files.get('index.html') ?? []).toString()
  const named = [...page.matchAll(/(?:href|src)="([^":]+)"/g)].map(([, name = '']) => name)
  const own = [...files].filter(([, bytes]) => !Buffer.from(bytes).includes('EXT-X-STREAM-INF'))
  t.equal(files.size - own.length, 1, 'hls.js is apart, and is loaded when it is needed')
  const sum = (isCounted: (name: string) => boolean) =>
    own.reduce((total, [name, file]) => total + (isCounted(name) ? gzipSync(file, { level: 9 }).length : 0), 0)
  const isFirst = (name: string) => name === 'index.html' || named.includes(name)
  const imported = (name: string) =>
    [
      ...Buffer.from(files.get(name) ?? [])
        .toString()
        .matchAll(/(?:from|import)\s*"\.\/([^"]+)"/g),
    ].map(([, it = '']) => it)
  t.strictSame(
    [...files.keys()]
      .filter(isFirst)
      .flatMap(imported)
      .filter((name) => !isFirst(name)),
    [],
    'the page names all that its script imports, so that no file waits for another one',
  )
  const counted = {
    first: sum(isFirst),
    session: sum((name) => isFirst(name) || /^(session-view|browser|uPlot)/.test(name)),
    all: sum(() => true),
  }
  t.comment(JSON.stringify(counted))
  t.match(named, { length: 3 }, 'a style, a script and what it imports')
  for (const part of ['session-view', 'operations-view', 'browser', 'uPlot'])
    t.ok(
      own.some(([name]) => name.startsWith(part) && !isFirst(name)),
      `${part} is loaded when it is needed`,
    )
  t.ok(counted.first <= most.first, `${counted.first} bytes at first`)
  t.ok(counted.session <= most.session, `${counted.session} bytes for a session`)
  t.ok(counted.all <= most.all, `${counted.all} bytes in all`)
})

t.test('sign in, upload, watch, correct, export, delete', { skip, timeout: 180_000 }, async (t) => {
  const stack = await startStack(t, { workers: 1 })
  const link = await flakyLink(t, stack.url)
  const { openTab, openBeside } = await startBrowser(t, { ...stack, url: link.url.replace(/\/$/, '') })
  const recording = join(t.testdir(), '놀이 1.mp4'.normalize('NFD'))
  await makeRecording(recording, 30)

  const tab = await openTab({ token: null })
  const { page } = tab
  // An encode takes its time beside other tests.
  page.setDefaultTimeout(30_000)
  const signIn = stack.link.replace(`${stack.url}/`, link.url)
  await page.goto(signIn)
  await page.getByText('There are no cases yet').waitFor()
  const paint = await page.evaluate('performance.getEntriesByName("first-contentful-paint")[0]?.startTime')
  t.comment(`first view after ${Math.round(Number(paint))} ms`)

  await page.getByRole('button', { name: 'New case' }).click()
  await page.getByLabel('Family name').fill('김')
  await page.getByLabel('Given name').fill('지우')
  await page.getByRole('button', { name: 'Create' }).click()
  await page.getByRole('button', { name: 'New session' }).click()
  await page.getByLabel('Name').fill('First meeting')
  await page.getByRole('button', { name: 'Create' }).click()

  await page.getByText('This session has no recording yet').waitFor()
  const frozen = link.freezeAfter(3 * mebibyte)
  await page.getByLabel('Choose a file').setInputFiles(recording)
  await frozen
  link.cut()
  await page.getByText('The server cannot be reached').waitFor()
  link.thaw()
  link.mend()
  await page.getByText('has arrived and is stored safely').waitFor()

  await page.getByRole('button', { name: 'Play', exact: true }).click()
  const src = () => page.evaluate('document.querySelector("video")?.currentSrc')
  await until('a recording that plays while it is encoded', src, (now) => /^blob:|video\.mp4$/.test(`${now}`))
  await until('a second of it', () => page.evaluate('document.querySelector("video").currentTime > 1'))

  const cues =
    'WEBVTT\n\n00:00:00.000 --> 00:00:10.000\n<v T>Waht is it?\n\n00:00:10.000 --> 00:00:29.000\n<v C>곰이에요!\n'
  await page
    .getByLabel('File with subtitles')
    .setInputFiles({ name: 'a.vtt', mimeType: 'text/vtt', buffer: Buffer.from(cues) })
  const row = (text: string, { page: shown } = tab) => shown.locator('.records tr', { hasText: text })
  await row('Waht is it?').waitFor()
  await page.getByRole('button', { name: 'Captions' }).click()
  await until('captions', () =>
    page.evaluate(
      `[...document.querySelector('video').textTracks].some((track) => track.mode === 'showing' && track.cues?.length === 2)`,
    ),
  )

  await row('Waht is it?').locator('td.text').click()
  await page.locator('.editor textarea').fill('What is it?')
  await page.keyboard.press('Enter')
  await page.getByText('All is saved.').waitFor()

  const other = await openBeside(tab, { token: null })
  await other.page.goto(signIn)
  await other.go(new URL(page.url()).hash)
  await row('What is it?', other).waitFor()
  await page.route('**/script', (route) => (route.request().method() === 'PATCH' ? route.abort() : route.continue()))
  const correct = async ({ page: shown }: typeof tab, typed: string) => {
    await shown.locator('.records tr', { hasText: '곰이에요' }).locator('td.text').click()
    await shown.locator('.editor textarea').fill(typed)
    await shown.keyboard.press('Enter')
  }
  await correct(tab, '곰이에요! 커요.')
  await page.getByText('One change is not saved yet.').waitFor()
  await correct(other, '곰이에요! 작아요.')
  await other.page.getByText('All is saved.').waitFor()
  await page.unroute('**/script')
  await page.getByText('needs a decision').waitFor()
  await page.getByRole('button', { name: 'Take yours' }).click()
  await row('커요', other).waitFor()
  await page.getByText('All is saved.').waitFor()
  await page.getByText('is being encoded').waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Close this message' }).click()
  await page.mouse.move(0, 0)
  await page.evaluate('scrollTo(0, 0)')
  await checkPicture(t, page)

  for (const [name, content] of [
    ['WebVTT', /^WEBVTT[\s\S]*커요/],
    ['Text to read', /What is it\?/],
    ['JSON', /^\{"scripts":\[/],
  ] as const) {
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('section', { hasText: 'newest saved version' }).getByRole('button', { name }).click(),
    ])
    t.match(`${await readFile(await file.path())}`, content, name)
  }

  const path = new URL(page.url()).hash.slice(1)
  const analyser = stack.sign({ scope: 'reports:write', exp: Math.floor(Date.now() / 1_000) + 60 })
  const report = {
    category: 'Emotion Reflection',
    descriptions: 'Names what the child feels.',
    interactions: [],
    level: 3,
  }
  await fetch(`${stack.url}/contents/api/${path}/analyze-report`, {
    method: 'POST',
    headers: { authorization: `Bearer ${analyser}`, 'content-type': 'application/json' },
    body: JSON.stringify({ reports: { [report.category]: report } }),
  })
  await page.getByRole('navigation', { name: 'Script and report' }).getByRole('link', { name: 'Report' }).click()
  await page.getByText('Names what the child feels.').waitFor()

  await page.getByRole('navigation', { name: 'Where you are' }).getByRole('link', { name: '지우' }).click()
  await page.getByText('Recording ready').waitFor()
  await page.getByRole('rowheader', { name: 'Emotion Reflection' }).waitFor()
  await page.getByLabel('Words').fill('커요')
  await page.keyboard.press('Enter')
  await page.getByRole('link', { name: 'First meeting, 00:00:10' }).click()
  await until('the second at which it was said', () =>
    page.evaluate('document.querySelector("video")?.currentTime >= 10'),
  )
  await page.goBack()
  await page.getByRole('button', { name: 'Delete', exact: true }).click()
  await page.getByText('1 session, 1 recording, 1 script and 1 report').waitFor()
  await page.getByLabel('Type “delete”').fill('delete')
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByText('There are no cases yet').waitFor()
  await other.page.getByText('This session does not exist').waitFor()

  t.strictSame(
    [...tab.complaints, ...other.complaints].filter((text) => !text.includes('net::ERR_')),
    [],
  )
})
