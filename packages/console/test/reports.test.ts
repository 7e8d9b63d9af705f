/** Reports, levels, search and operations, as a therapist and an operator see them. */
import { outbox, processes, recentEncodes } from '@playtherapy/schema'
import { jwtSecret, until } from '@playtherapy/testing'
import { createSigner } from 'fast-jwt'
import t from 'tap'
import { skip, startBrowser, startStack, type Tab } from './browser.ts'

const sign = createSigner({ key: jwtSecret, algorithm: 'HS256', expiresIn: 3_600_000 })
/** CSS pixels by which the page is wider than the window. */
const overflow = ({ page }: Tab) =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')
/** For pictures of the views, which a person looks at. */
const pictures = process.env.PICTURES

const record = (start_time: string | null, speaker: string, text: string) => ({
  start_time,
  end_time: null,
  speaker,
  text,
})
const records = [
  record('00:00:02', 'C', '네.'),
  record('00:00:05.5', 'T', '오늘은 무엇을 할까?'),
  record('00:01:10', 'C', '네.'),
  record('00:01:12', 'T', 'You are "scared",  of the monster…'),
  record(null, 'C', '괴물이 너무 무서워요.'),
  record('00:02:00', 'C', '👨‍👩‍👧 괴물 ÀBC'),
]

const scored = (level: number, interactions: object[] = [], more = {}) => ({
  category: 'Emotion Reflection',
  descriptions: 'Named the feeling in most moments.',
  interactions,
  level,
  ...more,
})

t.test('the console', { skip }, async (t) => {
  const stack = await startStack(t)
  const { openTab } = await startBrowser(t, stack)
  const { url, db, call, mintToken } = stack
  let therapist = 300
  const as = (claims: object) => ({ authorization: `Bearer ${sign(claims)}` })
  const pathOf = (caseId: number, sessionId: number) => `${url}/contents/api/case/${caseId}/session/${sessionId}`
  async function begin() {
    const userId = therapist++
    const { caseId, sessionId } = await stack.addSession('First meeting', userId)
    return {
      ...{ userId, caseId, sessionId },
      async saveScript(scripts: object[], of = sessionId) {
        const form = new FormData()
        form.set('script', new Blob([JSON.stringify({ scripts })]), 'script.json')
        const response = await fetch(`${pathOf(caseId, of)}/script`, {
          method: 'POST',
          headers: as({ user_id: userId }),
          body: form,
        })
        if (!response.ok) throw new Error(await response.text())
      },
      async deliver(reports: object, of = sessionId) {
        const response = await fetch(`${pathOf(caseId, of)}/analyze-report`, {
          method: 'POST',
          headers: { ...as({ scope: 'reports:write' }), 'content-type': 'application/json' },
          body: JSON.stringify({ reports }),
        })
        if (!response.ok) throw new Error(await response.text())
      },
    }
  }

  t.test('a report comes by itself, its quotes lead to their second, and a changed script is told', async (t) => {
    const { userId, caseId, sessionId, saveScript, deliver } = await begin()
    const path = `case/${caseId}/session/${sessionId}/report`
    await saveScript(records)
    const tab = await openTab({ token: mintToken(userId), path })
    const { page } = tab
    await page.getByText('no report of this session yet').waitFor()
    await deliver({
      'Emotion Reflection': scored(4, [
        { C1: '네.', T1: 'you are SCARED of the monster', TF: 'T', Description: 'Named at once.' },
        { C1: '괴물이 너무 무서워요.', T1: 'Never said.' },
        { C1: '네.', T1: '오늘은 무엇을 할까?'.normalize('NFD') },
      ]),
      Questioning: scored(-1, [], { category: 'Questioning' }),
    })
    const category = page.getByRole('article', { name: 'Emotion Reflection' })
    await category.getByText('Level 4 of 4').waitFor()
    await page.getByRole('article', { name: 'Questioning' }).getByText('Scoring failed').waitFor()
    await category.getByRole('button').first().waitFor()
    t.strictSame(
      await category.getByRole('button').allTextContents(),
      ['00:01:10', '00:01:12', '00:00:02', '00:00:05'],
      'of what was said twice, the place near the other quote; nothing for what has no time or was never said',
    )
    await page.getByRole('button', { name: 'Go to 00:01:12' }).click()
    t.strictSame(await tab.faults(), [])
    await saveScript(records.slice(1))
    await page.getByText('The script was changed after this report was made').waitFor()
    await deliver({ 'Emotion Reflection': scored(1) })
    await category.getByText('Level 1 of 4').waitFor()
    await page.getByLabel('Version').selectOption('1')
    await category.getByText('Level 4 of 4').waitFor()
    await page.getByText('from another version of the script').waitFor()
    t.strictSame(tab.complaints, [])
    if (pictures) await page.screenshot({ path: `${pictures}/report.png`, fullPage: true })
  })

  t.test('a report of any shape is shown as text', async (t) => {
    const { userId, caseId, sessionId, deliver } = await begin()
    const html = '<img src=x onerror="document.title=1"><script>1</script>'
    const long = '놀이치료'.repeat(50)
    const odd = scored(
      0,
      [
        { C1: html, T1: null },
        { a: { b: [1] }, constructor: 'x' },
        { x: '', y: '' },
      ],
      {
        category: long,
        descriptions: html,
      },
    )
    const many = Array.from({ length: 97 }, (_, index) => [
      `n${index}`,
      scored(2, [], { category: `Category ${index}` }),
    ])
    await deliver({ constructor: odd, ...Object.fromEntries(many) })
    const tab = await openTab({
      token: mintToken(userId),
      path: `case/${caseId}/session/${sessionId}/report`,
      width: 360,
    })
    const { page } = tab
    await page.getByRole('article', { name: 'Category 96' }).waitFor()
    t.equal(await page.locator('article').count(), 98)
    await page.getByRole('article', { name: long }).getByText(html).first().waitFor()
    t.equal(await page.locator('article img, article script').count(), 0)
    t.ok(Number(await overflow(tab)) <= 0, 'it is no wider than a phone')
    t.strictSame(tab.complaints, [])
  })

  t.test('levels over the sessions of a case: a chart, the same as a table, and the way to each report', async (t) => {
    const { userId, caseId, sessionId, deliver } = await begin()
    await deliver({ 'Emotion Reflection': scored(3) })
    const tab = await openTab({ token: mintToken(userId), path: `case/${caseId}` })
    const { page } = tab
    const levels = page.getByRole('region', { name: 'Levels', exact: true })
    await levels.locator('canvas').waitFor()
    const ids = [sessionId]
    for (const level of [-1, 0, 2, 4, 1, 2, 3, 4, 0, 2, 4, 1, 2, 3, 4, 2]) {
      const added = Object(
        await call('POST', `/case/${caseId}/session`, { data: { name: `Session ${ids.length + 1}` } }, userId),
      )
      ids.push(added.id)
      await deliver(
        { 'Emotion Reflection': scored(level), Questioning: scored(1, [], { category: 'Questioning' }) },
        added.id,
      )
    }
    const row = levels.getByRole('row', { name: 'Emotion Reflection' })
    const newest = '0 2 4 1 2 3 4 2'
    await until('the newest levels', async () => (await row.getByRole('cell').allTextContents()).join(' ') === newest)
    await levels.getByRole('button', { name: 'Older sessions' }).click()
    const older = ['not scored', '0', '2', '4', '1', '2', '3', '4']
    t.strictSame(await row.getByRole('cell').allTextContents(), older)
    const last = Object(await call('POST', `/case/${caseId}/session`, { data: { name: 'Last session' } }, userId))
    ids.push(last.id)
    // Read here and not by the browser's tools, which forget the body of an answer that newer news has replaced.
    let news = ''
    await page.route('**/report-trend', async (route) => {
      const response = await route.fetch()
      news = await response.text()
      await route.fulfill({ response, body: news })
    })
    await deliver({ 'Emotion Reflection': scored(4) }, last.id)
    await until('the news', () => news.includes(`"session_id":${last.id},`))
    await page.unrouteAll({ behavior: 'wait' })
    await page.evaluate('new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))')
    t.strictSame(await row.getByRole('cell').allTextContents(), older, 'news leave the place alone')
    await levels.getByLabel('Category', { exact: true }).selectOption('Questioning')
    await levels.getByRole('img', { name: 'Questioning' }).waitFor()
    // What a header that stays hides of a list is no fault of the list.
    await page.evaluate('scrollTo(0, 0)')
    t.strictSame(await tab.faults(), [])
    if (pictures) await page.screenshot({ path: `${pictures}/case.png`, fullPage: true })
    const chart = levels.locator('.u-over')
    const { width = 0 } = (await chart.boundingBox()) ?? {}
    await chart.click({ position: { x: width * 0.95, y: 20 } })
    await page.waitForURL(new RegExp(`session/${ids.at(-1)}/report$`))
    t.strictSame(tab.complaints, [])
  })

  t.test('a search marks what was found, and leads to session and second', async (t) => {
    const { userId, caseId, sessionId, saveScript } = await begin()
    await saveScript([
      ...records,
      ...Array.from({ length: 60 }, (_, index) => record('00:05:00', 'T', `echo ${index}`)),
    ])
    const tab = await openTab({ token: mintToken(userId), path: `case/${caseId}` })
    const { page } = tab
    const search = page.getByRole('region', { name: 'Search in what was said' })
    const find = async (words: string) => {
      await search.getByLabel('Words').fill(words)
      await page.keyboard.press('Enter')
    }
    await find('괴물'.normalize('NFD'))
    await search.getByText('2 places').waitFor()
    t.strictSame(await search.locator('mark').allTextContents(), ['괴물', '괴물'])
    await find('àbc'.normalize('NFD'))
    await search.getByText('1 place', { exact: true }).waitFor()
    t.strictSame(await search.locator('mark').allTextContents(), ['ÀBC'])
    await find('echo')
    await search.getByText('Places 1 to 50, and there are more').waitFor()
    t.strictSame(await tab.faults(), [])
    await search.getByRole('button', { name: 'Further places' }).click()
    await search.getByText('Places 51 to 60').waitFor()
    await find('nobody')
    await search.getByText('Nobody said this').waitFor()
    await find('무엇을')
    await search.getByRole('link').click()
    await page.waitForURL(new RegExp(`session/${sessionId}\\?at=5.5$`))
    t.strictSame(tab.complaints, [])
  })

  t.test('an operator sees jobs and processes, and repeats what was given up', async (t) => {
    const givenUp = { failedAt: new Date(), failure: '<b>no disk</b>', attempts: 10, publishedAt: new Date() }
    const erase = { name: 'erase' as const, payload: { erasure_id: 1 } }
    const [failed] = await db
      .insert(outbox)
      .values([{ ...erase, ...givenUp }, { ...erase, ...givenUp, isRefused: true }, erase])
      .returning()
    const release = { version: '9.9.9', commit: 'abc' }
    await db.insert(processes).values([
      {
        id: '00000000-0000-4000-8000-000000000001',
        kind: 'worker',
        ...release,
        scratchFreeBytes: 5e9,
        scratchBytes: 4e10,
      },
    ])
    await db.insert(recentEncodes).values(
      [3, 8, 9, 10, 20, 40].map((minutes) => ({
        seconds: 30 * minutes,
        at: new Date(Date.now() - minutes * 60_000),
      })),
    )
    const tab = await openTab({ token: sign({ scope: 'operations' }) })
    const { page } = tab
    const list = page.getByRole('region', { name: 'Jobs that were given up' })
    await list.getByText('<b>no disk</b>').first().waitFor()
    await page.getByRole('region', { name: 'Encode speed' }).locator('canvas').waitFor()
    await page.getByRole('row', { name: /^worker runs 9\.9\.9/ }).waitFor()
    t.equal(await page.getByRole('link', { name: 'Cases' }).count(), 0, 'there are no cases for an operator alone')
    t.strictSame(await tab.faults(), [])
    if (pictures) await page.screenshot({ path: `${pictures}/operations.png`, fullPage: true })
    await page.getByRole('button', { name: `Repeat erase, no. ${failed?.id}` }).click()
    await list.getByText('is announced again').waitFor()
    await until('it has left the list', async () => (await list.getByRole('listitem').count()) === 1)
    t.equal(await db.$count(outbox), 3)

    await page.route('**/contents/api/operations', (route) =>
      route.fulfill({ status: 503, headers: { 'retry-after': '7' }, body: '{"message":"busy","error_code":10}' }),
    )
    await page.getByText('Try again in 7 s.').waitFor()
    await page.getByText('What is shown is from').waitFor()
    t.ok(tab.complaints.every((complaint) => complaint.includes('503')))
  })

  t.test('a therapist sees operations only with the scope', async (t) => {
    const alone = await openTab({ token: mintToken(therapist++), path: 'operations' })
    await alone.page.getByText('This view is for operators').waitFor()
    t.equal(await alone.page.getByRole('link', { name: 'Operations' }).count(), 0)
    const both = await openTab({
      ...{
        token: sign({ user_id: therapist++, scope: 'operations' }),
        language: 'ko',
        width: 360,
        colorScheme: 'dark',
      },
    })
    await both.page.getByRole('link', { name: '운영' }).click()
    await both.page.getByRole('heading', { name: '포기한 작업' }).waitFor()
    t.ok(Number(await overflow(both)) <= 0)
    t.strictSame(await both.faults(), [])
    if (pictures) await both.page.screenshot({ path: `${pictures}/operations-phone.png`, fullPage: true })
    t.strictSame(both.complaints, [])
  })
})
