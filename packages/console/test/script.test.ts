/** The script beside the player, in a real browser: edited, merged with what others save, compared, imported, exported. */
import { readFile } from 'node:fs/promises'
import { until } from '@playtherapy/testing'
import type { Locator, Page } from 'playwright-core'
import t from 'tap'
import { skip, startBrowser, startStack, type Tab, type TestStack } from './browser.ts'

interface TestRecord {
  start_time: string
  end_time: string
  speaker: string
  text: string
  [other: string]: unknown
}

const clock = (second: number) => new Date(second * 1000).toISOString().slice(11, 19)
const record = (index: number, text = `said ${index}`): TestRecord => ({
  start_time: clock(index * 3),
  end_time: clock(index * 3 + 2),
  speaker: index % 2 ? 'C' : 'T',
  text,
})

/** A session with a script, and what reads and saves it beside the page. */
async function newScript(stack: TestStack, records: TestRecord[] | undefined, more: object = {}) {
  const { caseId, sessionId } = await stack.addSession()
  const path = `/case/${caseId}/session/${sessionId}`
  async function save(all: TestRecord[]) {
    const body = new FormData()
    body.append('script', new Blob([JSON.stringify({ ...more, scripts: all })]))
    const headers = { authorization: `Bearer ${stack.mintToken()}` }
    await fetch(`${stack.url}/contents/api${path}/script`, { method: 'POST', headers, body })
  }
  if (records) await save(records)
  const read = async (): Promise<{ scripts: TestRecord[] }> => Object(await stack.call('GET', `${path}/script`))
  return { path: path.slice(1), save, read }
}

/** Resolves when what has happened in the page is drawn. */
const drawn = (page: Page) =>
  page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
const isSaved = (page: Page) => page.getByText('All is saved.').waitFor()
const rowWith = (page: Page, text: string): Locator => page.locator('.records tr', { hasText: text })
const field = (page: Page): Locator => page.locator('.editor textarea')

/** Types into the record with this text. */
async function edit(page: Page, text: string, typed: string, key = 'Enter') {
  await rowWith(page, text).locator('td.text').click()
  await field(page).fill(typed)
  if (key) await field(page).press(key)
}

async function downloaded(tab: Tab, name: string): Promise<{ name: string; bytes: Buffer }> {
  const [file] = await Promise.all([
    tab.page.waitForEvent('download'),
    tab.page.locator('section', { hasText: 'newest saved version' }).getByRole('button', { name }).click(),
  ])
  return { name: file.suggestedFilename(), bytes: await readFile(await file.path()) }
}

t.test('the script beside the player', { skip, timeout: 120_000 }, async (t) => {
  const stack = await startStack(t)
  const { openTab, openBeside } = await startBrowser(t, stack)
  const textsOf = async (script: Awaited<ReturnType<typeof newScript>>) =>
    (await script.read()).scripts.map(({ text }) => text)

  t.test('a record is edited, split, merged, added and deleted by the keyboard, and each is taken back', async (t) => {
    const script = await newScript(stack, [{ ...record(0, 'one two'), mark: { kept: 1 } }, record(1), record(2)], {
      title: 'kept',
    })
    const tab = await openTab({ path: script.path })
    const { page } = tab
    await edit(page, 'one two', 'one two 😀')
    await isSaved(page)
    t.strictSame(await script.read(), {
      title: 'kept',
      scripts: [{ ...record(0, 'one two 😀'), mark: { kept: 1 } }, record(1), record(2)],
    })
    await page.keyboard.press('Enter')
    await field(page).evaluate((element) => Object(element).setSelectionRange(3, 3))
    await field(page).press('Control+Enter')
    await field(page).press('Escape')
    await isSaved(page)
    t.strictSame(await textsOf(script), ['one', 'two 😀', 'said 1', 'said 2'])
    await page.locator('.records tr').first().press('Enter')
    await field(page).press('Control+Shift+Enter')
    await field(page).press('Escape')
    await isSaved(page)
    t.strictSame(await textsOf(script), ['one two 😀', 'said 1', 'said 2'])
    await page.locator('.records tr').first().press('Alt+Enter')
    await field(page).fill('new\nline')
    await field(page).press('Enter')
    await page.locator('.records tr', { hasText: 'said 2' }).press('Delete')
    await isSaved(page)
    t.strictSame(await textsOf(script), ['one two 😀', 'new\nline', 'said 1'])
    for (let times = 0; times < 5; times++) await page.getByRole('button', { name: 'Undo' }).click()
    await isSaved(page)
    t.strictSame(await textsOf(script), ['one two', 'said 1', 'said 2'])
    for (let times = 0; times < 5; times++) await page.getByRole('button', { name: 'Redo' }).click()
    await isSaved(page)
    t.strictSame(await textsOf(script), ['one two 😀', 'new\nline', 'said 1'])
    t.strictSame(await tab.faults(), [])
    t.strictSame(tab.complaints, [])
  })

  t.test('Enter and Escape of an input method neither save nor lose a syllable', async (t) => {
    const script = await newScript(stack, [record(0)])
    const { page, context } = await openTab({ path: script.path })
    await edit(page, 'said 0', '', '')
    const devtools = await context.newCDPSession(page)
    await devtools.send('Input.imeSetComposition', { text: '하', selectionStart: 1, selectionEnd: 1 })
    const composing = { isComposing: true, bubbles: true, cancelable: true }
    for (const key of ['Enter', 'Escape']) await field(page).dispatchEvent('keydown', { ...composing, key })
    t.equal(await field(page).inputValue(), '하', 'it is still open')
    await devtools.send('Input.insertText', { text: '한' })
    await field(page).press('Enter')
    await isSaved(page)
    t.strictSame(await textsOf(script), ['한'])
  })

  t.test(
    'two tabs edit: what does not meet comes in, what does is shown beside, and either can be taken',
    async (t) => {
      const script = await newScript(stack, [record(0), record(1), record(2)])
      const mine = await openTab({ path: script.path })
      const theirs = await openBeside(mine, { path: script.path })
      await rowWith(mine.page, 'said 1').waitFor()
      // Cut off, so that the other one is first.
      await mine.context.setOffline(false)
      await mine.page.route('**/script', (route) =>
        route.request().method() === 'PATCH' ? route.abort() : route.continue(),
      )
      await edit(mine.page, 'said 1', 'mine')
      await mine.page.getByText('One change is not saved yet.').waitFor()
      await edit(theirs.page, 'said 1', 'theirs')
      await isSaved(theirs.page)
      await edit(theirs.page, 'said 2', 'only theirs')
      await isSaved(theirs.page)
      await mine.page.unroute('**/script')
      await mine.page.getByText('needs a decision').waitFor()
      await rowWith(mine.page, 'only theirs').waitFor()
      t.strictSame(await mine.faults(), [])
      t.match(await mine.page.locator('.side').allInnerTexts(), [/theirs/, /mine/])
      await mine.page.getByRole('button', { name: 'Take yours' }).click()
      await isSaved(mine.page)
      t.strictSame(await textsOf(script), ['said 0', 'mine', 'only theirs'])
      await rowWith(theirs.page, 'mine').waitFor()
      const undo = mine.page.getByRole('button', { name: 'Undo' })
      await undo.click()
      await until('what they had saved', async () => (await textsOf(script)).join() === 'said 0,theirs,only theirs')
      t.ok(await undo.isDisabled(), 'undo goes back to the decision, and not behind it')
      await mine.page.getByRole('button', { name: 'Redo' }).click()
      await until('the decision again', async () => (await textsOf(script)).join() === 'said 0,mine,only theirs')

      await edit(mine.page, 'said 0', 'half a sentence', '')
      await edit(theirs.page, 'said 0', 'theirs again')
      await isSaved(theirs.page)
      await mine.page.getByText('While you type').waitFor()
      t.equal(await field(mine.page).inputValue(), 'half a sentence')
      await mine.page.getByRole('button', { name: 'Keep yours' }).click()
      await field(mine.page).press('Enter')
      await isSaved(mine.page)
      t.strictSame(await textsOf(script), ['half a sentence', 'mine', 'only theirs'])
    },
  )

  t.test('nothing typed is lost while the service cannot save, and the answer to a save may be lost', async (t) => {
    const script = await newScript(stack, [record(0), record(1)])
    const { page } = await openTab({ path: script.path })
    await rowWith(page, 'said 1').waitFor()
    let isFirst = true
    await page.route('**/script', async (route) => {
      if (route.request().method() !== 'PATCH') return route.continue()
      if (isFirst) await route.fetch()
      isFirst = false
      await route.abort()
    })
    await rowWith(page, 'said 0').press('Alt+Enter')
    await field(page).fill('new')
    await field(page).press('Enter')
    await rowWith(page, 'new').waitFor()
    await page.evaluate('location.hash = "#"')
    await page.evaluate(`location.hash = ${JSON.stringify(script.path)}`)
    await rowWith(page, 'new').waitFor()
    await page.unrouteAll({ behavior: 'wait' })
    await isSaved(page)
    t.strictSame(await textsOf(script), ['said 0', 'new', 'said 1'], 'it is saved once')
  })

  t.test('while the service is busy, further changes wait for the time that it names', async (t) => {
    const script = await newScript(stack, [record(0), record(1), record(2)])
    const { page } = await openTab({ path: script.path })
    await rowWith(page, 'said 2').waitFor()
    let attempts = 0
    await page.route('**/script', async (route) => {
      if (route.request().method() !== 'PATCH') return route.continue()
      attempts++
      const body = '{"message":"busy","error_code":10}'
      await route.fulfill({ status: 503, headers: { 'retry-after': '60' }, body })
    })
    await edit(page, 'said 0', 'a')
    await page.getByText('One change is not saved yet.').waitFor()
    await edit(page, 'said 1', 'b')
    await edit(page, 'said 2', 'c')
    await page.getByText('3 changes are not saved yet.').waitFor()
    await drawn(page)
    t.equal(attempts, 1)
    await page.unroute('**/script')
    await page.getByRole('button', { name: 'Try again' }).click()
    await isSaved(page)
    t.strictSame(await textsOf(script), ['a', 'b', 'c'])
  })

  t.test('what is heard of during an attempt that is refused for good is looked for afterwards', async (t) => {
    const script = await newScript(stack, [record(0)])
    const { page, context } = await openTab()
    const refusal = '{"message":"Session 1 not found","error_code":3}'
    let refuse = () => {}
    const isAsked = new Promise<void>((resolve) => {
      page.route(
        '**/script',
        (route) => {
          refuse = () => route.fulfill({ status: 400, body: refusal })
          resolve()
        },
        { times: 1 },
      )
    })
    await page.evaluate(`location.hash = ${JSON.stringify(script.path)}`)
    await isAsked
    const devtools = await context.newCDPSession(page)
    await devtools.send('Network.enable')
    const isHeard = new Promise((resolve) => devtools.once('Network.dataReceived', resolve))
    await script.save([record(0), record(1)])
    await isHeard
    await drawn(page)
    refuse()
    await rowWith(page, 'said 1').waitFor()
    t.equal(await page.getByText('Try again').count(), 0)
  })

  t.test('versions are compared by their words and restored; files are imported and exported', async (t) => {
    const script = await newScript(stack, undefined)
    const tab = await openTab({ path: script.path })
    const { page } = tab
    await page.getByText('no script yet').waitFor()
    t.strictSame(await tab.faults(), [])
    const file = (name: string, text: string) => ({ name, mimeType: 'text/vtt', buffer: Buffer.from(text) })
    const choose = page.getByLabel('File with subtitles')
    await choose.setInputFiles(file('bad.vtt', 'WEBVTT\n\n00:01 --> nothing\nx\n\nlost\n'))
    await page.getByText('Line 3', { exact: true }).waitFor()
    const encoded = {
      ...file('old.srt', ''),
      buffer: Buffer.from('1\n00:00:01,000 --> 00:00:02,000\n\xbe\xc8\n', 'latin1'),
    }
    await choose.setInputFiles(encoded)
    await page.getByText('save it with the encoding UTF-8').waitFor()
    const cues =
      'WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v T>Hello dear child\n\n00:00:05.000 --> 00:00:06.000\n<v C>Hi 👋🏽\n'
    await choose.setInputFiles(file('good.vtt', cues))
    await rowWith(page, 'Hello dear child').waitFor()
    for (const [name, suffix, content] of [
      ['WebVTT', 'vtt', /^WEBVTT[\s\S]*<v T>Hello dear child/],
      ['SubRip', 'srt', /00:00:01,000 --> 00:00:02,000/],
      ['Text to read', 'txt', /Hello dear child/],
      ['Table', 'csv', /Hello dear child/],
      ['Excel', 'xlsx', /^PK/],
      ['JSON', 'json', /^\{"scripts":\[/],
    ] as const) {
      const saved = await downloaded(tab, name)
      t.equal(saved.name, `First meeting v1.${suffix}`)
      t.match(saved.bytes.toString('latin1'), content)
    }
    await edit(page, 'Hello dear child', 'Hello good child')
    await isSaved(page)
    await page.getByRole('heading', { name: 'Versions' }).click()
    await page.getByRole('button', { name: 'What changed Version 2' }).click()
    await page.locator('.differences del').waitFor()
    t.strictSame(
      [await page.locator('.differences del').allInnerTexts(), await page.locator('.differences ins').allInnerTexts()],
      [['dear'], ['good']],
    )
    await page.getByRole('button', { name: 'Restore Version 1' }).click()
    await page.getByRole('dialog').getByRole('button', { name: 'Restore' }).click()
    await rowWith(page, 'Hello dear child').waitFor()
    await page.getByRole('heading', { name: 'Who talked when' }).click()
    await page.locator('.turns canvas').waitFor()
    const picture = () => page.locator('.turns canvas').evaluate((canvas) => Object(canvas).toDataURL())
    const light = await picture()
    await page.emulateMedia({ colorScheme: 'dark' })
    await until('a picture in dark colours', async () => (await picture()) !== light)
    await page.getByRole('rowheader', { name: 'T', exact: true }).waitFor()
    t.strictSame(await tab.faults(), [])
    t.strictSame(
      tab.complaints.filter((complaint) => !complaint.includes('422')),
      [],
    )
  })

  t.test('the first of two thousand versions can be reached, since each corrected record is one', async (t) => {
    const script = await newScript(stack, [record(0)])
    const sessionId = Number(script.path.split('/').at(-1))
    await stack.sql`insert into script_versions (session_id, version, state, path, size, etag, user_id)
      select ${sessionId}, number, 'stored', 'none/' || ${sessionId}::int || '/' || number, 1, 'e', 7 from generate_series(2, 2100) as number`
    const { page } = await openTab({ path: script.path })
    await page.getByRole('heading', { name: 'Versions' }).click()
    await page.getByRole('rowheader', { name: '2100' }).waitFor()
    const older = page.locator('button', { hasText: 'Older versions' })
    let clicks = 0
    // The last click removes the button, perhaps before it is looked for again.
    for (; clicks < 9 && (await older.count()) > 0; clicks++) await older.click({ timeout: 3_000 }).catch(() => {})
    await page.locator('.wide th[scope=row]', { hasText: '1 (current)' }).waitFor()
    t.equal(await older.count(), 0, `all are listed after ${clicks} clicks`)
  })

  t.test(
    'a record of a megabyte is edited in lines that are not wrapped, which would take seconds a letter',
    async (t) => {
      const long = '곰 인형 words and more '.repeat(35_000)
      const script = await newScript(stack, [record(0), record(1, long)])
      const { page } = await openTab({ path: script.path })
      await rowWith(page, 'words and more').locator('td.text').click()
      t.equal(await field(page).getAttribute('wrap'), 'off')
      await field(page).press('Control+End')
      await page.keyboard.type('!')
      await field(page).press('Enter')
      await until('the text', async () => (await textsOf(script))[1] === `${long}!`)
      await edit(page, 'said 0', 'short', '')
      t.equal(await field(page).getAttribute('wrap'), null)
    },
  )

  t.test('of three thousand records few are drawn, and one that is typed in stays', async (t) => {
    const endless = 'endless '.repeat(20_000)
    const odd = { ...record(3), start_time: `soon ${endless}`, end_time: endless, speaker: endless }
    const many = Array.from({ length: 3_000 }, (_, index) =>
      index === 3 ? odd : record(index, `(said ${index}) ${'words '.repeat(index % 40)}`),
    )
    const script = await newScript(stack, many)
    const { page } = await openTab({ path: script.path, width: 360 })
    await rowWith(page, '(said 1)').waitFor()
    t.equal(await page.locator('.records table').getAttribute('aria-rowcount'), '3000')
    await page.getByText('A time here is none').first().waitFor()
    const high = await rowWith(page, 'said 3')
      .first()
      .evaluate((row) => Object(row).offsetHeight)
    t.ok(high < 800, `its row has ${high} pixels`)
    await edit(page, '(said 1)', 'half a sentence', '')
    const drawn: number[] = []
    for (let place = 0; place < 40; place++) {
      await page.locator('.records').evaluate((list) => list.scrollBy(0, 4_000))
      drawn.push(await page.locator('.records tr').count())
    }
    t.ok(Math.max(...drawn) < 60, `at most ${Math.max(...drawn)} rows are drawn`)
    await page.keyboard.type('!')
    t.equal(await field(page).inputValue(), 'half a sentence!')
    await field(page).press('Enter')
    await isSaved(page)
    await page.getByLabel('Find in this script').fill('(said 2999)')
    await page.keyboard.press('Enter')
    await rowWith(page, '(said 2999)').waitFor()
  })
})
