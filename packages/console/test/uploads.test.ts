/** Uploads that do not go straight: refused, cancelled, in two tabs, by a page that is older than its server. */
import { truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { failures } from '@playtherapy/schema'
import { until } from '@playtherapy/testing'
import type { Page, Route } from 'playwright-core'
import t from 'tap'
import { skip, startBrowser, startStack } from './browser.ts'
import { makeRecording } from './recording.ts'

/** Uploads take some seconds beside other tests. */
const slow = { timeout: 60_000 }
const tus = /\/video\/tus/

/** Keeps the bytes of uploads back; the creation of an upload goes through. */
const hold = (page: Page) =>
  page.route(tus, (route) => (route.request().method() === 'PATCH' ? undefined : route.fallback()))

t.test('uploads that do not go straight', { skip, timeout: 240_000 }, async (t) => {
  const stack = await startStack(t)
  const { openTab, openBeside } = await startBrowser(t, stack)
  const folder = t.testdir()
  // Its end is read before its beginning where the name may turn the direction of the text.
  const name = '\u202e지우.mp4'
  const file = join(folder, name.normalize('NFD'))
  await makeRecording(file, 1)
  const addSession = async () => {
    const { caseId, sessionId } = await stack.addSession()
    return `case/${caseId}/session/${sessionId}`
  }

  t.test('one tab uploads into a session, and what it cancels is removed', async (t) => {
    const path = await addSession()
    const tab = await openTab({ path })
    const { page } = tab
    await page.getByText('This session has no recording yet').waitFor()
    const parts = `performance.getEntriesByType('resource').map(({ name }) => name).join()`
    for (const part of ['browser-', 'hls-', 'uPlot'])
      await until(`a page that has loaded ${part}`, async () => `${await page.evaluate(parts)}`.includes(part))
    // Its server is renewed.
    await page.route(/\.js$/, (route) => route.fulfill({ status: 404 }))
    await hold(page)
    await page.getByLabel('Choose a file').setInputFiles(file)
    await page.getByRole('heading', { name: `\u2068${name}\u2069 is being uploaded` }).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('An upload is under way, and will stop').waitFor()
    await page.getByRole('button', { name: 'Stay signed in' }).click()

    const other = await openBeside(tab, { path })
    const sent: string[] = []
    other.page.on('request', (request) => tus.test(request.url()) && sent.push(request.method()))
    await other.page.getByText('Choose the same file again').waitFor()
    await other.page.getByLabel('Choose a file').setInputFiles(file)
    await other.page.getByText('Another tab of this browser').waitFor()
    t.strictSame(await other.faults(), [])
    await other.page.getByRole('button', { name: 'Choose another file' }).click()
    const otherFile = join(folder, 'other.mp4')
    await writeFile(otherFile, 'other')
    await other.page.getByLabel('Choose a file').setInputFiles(otherFile)
    await other.page.getByRole('button', { name: 'Upload this file' }).click()
    await other.page.getByText('Another tab of this browser').waitFor()
    await other.page.getByRole('button', { name: 'Choose another file' }).click()
    await other.page.getByRole('button', { name: 'Discard that upload' }).click()
    await other.page.getByText('Another tab of this browser').waitFor()
    t.strictSame(sent, [], 'what the first tab sends is left alone')

    const held = { status: 423, headers: { 'retry-after': '1' }, json: { error_code: 423 } }
    const answers: number[] = []
    page.on('response', (response) => response.request().method() === 'DELETE' && answers.push(response.status()))
    let isHeld = true
    await page.route(tus, (route) => {
      if (route.request().method() !== 'DELETE' || !isHeld) return route.fallback()
      isHeld = false
      return route.fulfill(held)
    })
    await page.getByRole('button', { name: 'Cancel the upload' }).click()
    await until('the removal of the upload', () => answers.length === 2)
    t.strictSame(answers, [423, 204], 'it is removed as soon as no request writes it any more')

    await other.page.evaluate(
      `Storage.prototype.setItem = () => { throw new DOMException('no room', 'QuotaExceededError') }`,
    )
    const full = (route: Route) =>
      route.request().method() === 'PATCH'
        ? route.fulfill({ status: 503, headers: { 'retry-after': '1' }, json: { error_code: 10 } })
        : route.fallback()
    await other.page.route(tus, full)
    await other.page.getByLabel('Choose a file').setInputFiles(file)
    await other.page.getByText('The server has no room for it').waitFor()
    await other.page.unroute(tus, full)
    await other.page.getByText(`\u2068${name}\u2069 has arrived and is stored safely`).waitFor(slow)
  })

  t.test('refusals are told with what to do, and end where the reason does', async () => {
    const tab = await openTab({ path: await addSession() })
    const { page } = tab
    const choose = (path: string) => page.getByLabel('Choose a file').setInputFiles(path)
    const large = join(folder, 'large.mp4')
    await writeFile(large, '')
    await truncate(large, 2 ** 40)
    await choose(large)
    await page.getByText(/larger than the server accepts.* The most is \d/).waitFor()
    await page.getByRole('button', { name: 'Choose another file' }).click()

    const elsewhere = `${stack.url}/contents/api/${await addSession()}/video/tus`
    const headers = { authorization: `Bearer ${stack.mintToken()}`, 'tus-resumable': '1.0.0' }
    const create = () => fetch(elsewhere, { method: 'POST', headers: { ...headers, 'upload-length': '9' } })
    const [first] = await Promise.all(Array.from({ length: 8 }, create))
    await choose(file)
    await page.getByText('You have eight unfinished uploads').waitFor()
    await hold(page)
    await fetch(new URL(first?.headers.get('location') ?? '', elsewhere), { method: 'DELETE', headers })
    const sending = page.waitForRequest((request) => tus.test(request.url()) && request.method() === 'PATCH')
    await page.getByRole('button', { name: 'Try now' }).click()
    await page.getByText('is being uploaded').waitFor()
    // The page says so before there is an upload that could expire.
    await sending

    await stack.sql`update tus_uploads set expires_at = now() - interval '1 s'`
    await page.getByRole('button', { name: 'Pause', exact: true }).click()
    await page.getByRole('button', { name: 'Go on' }).click()
    await page.getByText('does not have this upload any more').waitFor(slow)
    await page.getByRole('button', { name: 'Choose another file' }).click()
    await page.getByLabel('Choose a file').waitFor()
  })

  t.test('a proxy that bounds the bytes of a request gets the file in parts', async (t) => {
    const { page } = await openTab({ path: await addSession() })
    const lengths: number[] = []
    await page.route(tus, (route) => {
      if (route.request().method() !== 'PATCH') return route.fallback()
      const bytes = route.request().postDataBuffer()?.length ?? 0
      lengths.push(bytes)
      return bytes > 2 ** 23 ? route.fulfill({ status: 413, body: 'Request Entity Too Large' }) : route.fallback()
    })
    await page.getByLabel('Choose a file').setInputFiles(file)
    await page.getByText('has arrived and is stored safely').waitFor(slow)
    t.strictSame(lengths.slice(1, 2), [2 ** 23], `${lengths}`)
  })

  t.test('a creation without an answer is broken off, and begun anew', async () => {
    const { page } = await openTab({ path: await addSession() })
    await page.getByText('This session has no recording yet').waitFor()
    await page.clock.install()
    let creations = 0
    await page.route(tus, (route) =>
      route.request().method() === 'POST' && creations++ === 0 ? undefined : route.fallback(),
    )
    await page.getByLabel('Choose a file').setInputFiles(file)
    await until('the creation', () => creations === 1)
    await page.clock.fastForward('04:00')
    await page.getByText('has arrived and is stored safely').waitFor(slow)
  })

  t.test('why a recording failed is told in the language of the page, for each reason', async (t) => {
    const path = await addSession()
    const sessionId = Number(path.split('/').at(-1))
    const described = `'a', 'a.mp4', 1, 'e', 'mp4', now()`
    await stack.sql.unsafe(`with video as (insert into videos (session_id, state, failure, path, file_name, size, etag, container,
      stored_at) values (${sessionId}, 'failed', 'x', ${described}) returning id)
      update sessions set video_id = video.id, encoding_state_id = 1 from video where sessions.id = ${sessionId}`)
    await stack.sql`update sessions set encoding_state_id = 4 where id = ${sessionId}`
    const { page } = await openTab({ path, language: 'ko' })
    const told = page.locator('.watch .notice.alert p:nth-of-type(2)')
    const other = await told.textContent()
    const seen = new Set<unknown>()
    for (const failure of Object.values(failures)) {
      await stack.sql`update videos set failure = ${failure} where session_id = ${sessionId}`
      await page.locator('q', { hasText: failure }).waitFor()
      const words = await told.textContent()
      t.not(words, other, failure)
      t.match(words, /[가-힣]\.$/)
      seen.add(words)
    }
    t.ok(seen.size > 7)
  })

  t.test(
    'a page that cannot load a part of itself, or is older than its server, says so and loses nothing',
    async (t) => {
      const { page } = await openTab()
      await page.getByText('Cases').first().waitFor()
      const tab = await openTab({ token: null })
      await tab.context.route(/\/(browser|hls|uPlot.esm)-\w+\.js$/, (route) => route.fulfill({ status: 404 }))
      await tab.page.goto(`${stack.url}/?#token=${stack.mintToken()}`)
      await tab.go(await addSession())
      await tab.page.getByLabel('Choose a file').setInputFiles(file)
      const region = tab.page.getByRole('region', { name: 'Recording' })
      await region.getByText('A part of this page could not be loaded').waitFor()
      await tab.page.getByRole('button', { name: 'Load the page anew' }).waitFor()
      await tab.context.route(/\/\??$/, (route) => route.fulfill({ body: '<script src="main-NEWER.js"></script>' }))
      await tab.page.getByRole('button', { name: 'Try now' }).click()
      await region.getByText('There is a newer version of this page').waitFor()
      await tab.page.getByRole('button', { name: 'Load the page anew' }).waitFor()
      t.strictSame(await tab.faults(), [])
      await tab.context.unrouteAll()
      await tab.page.getByText('has arrived and is stored safely').waitFor(slow)
    },
  )

  t.test('a page whose part does not come says so, and uses the part when it comes all the same', async (t) => {
    const tab = await openTab({ token: null })
    const { page } = tab
    const held: Route[] = []
    await tab.context.route(/\/browser-\w+\.js$/, (route) => void held.push(route))
    await page.goto(`${stack.url}/?#token=${stack.mintToken()}`)
    await tab.go(await addSession())
    await until('a part that is loaded ahead', () => held.length > 0)
    await page.clock.install()
    await page.clock.fastForward('01:00')
    t.equal(await page.getByRole('button', { name: 'Load the page anew' }).count(), 0, 'nobody has needed it yet')
    await page.getByLabel('Choose a file').setInputFiles(file)
    await page.getByText('is being uploaded').waitFor()
    await page.clock.fastForward('01:00')
    await page.getByText('A part of this page could not be loaded').waitFor()
    await page.getByRole('button', { name: 'Load the page anew' }).waitFor()
    t.strictSame(await tab.faults(), [])
    for (const route of held) await route.continue()
    await page.getByText('has arrived and is stored safely').waitFor(slow)
    t.equal(await page.getByRole('button', { name: 'Load the page anew' }).count(), 0)
  })
})
