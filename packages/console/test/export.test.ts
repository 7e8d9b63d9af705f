/** All that is held of a case as one file: begun, followed, downloaded, failed, expired, and begun by somebody else meanwhile. */
import { readFile } from 'node:fs/promises'
import { caseExports, State } from '@playtherapy/schema'
import { eq, sql } from 'drizzle-orm'
import t, { type Test } from 'tap'
import { skip, startBrowser, startStack, type TabOptions } from './browser.ts'

/** For pictures of the views, which a person looks at. */
const pictures = process.env.PICTURES
const slow = { timeout: 60_000 }

t.test('the export of a case', { skip, timeout: 300_000 }, async (t) => {
  const stack = await startStack(t, { workers: 1 })
  const { openTab } = await startBrowser(t, stack)
  const { db, call } = stack
  let therapist = 500

  async function begin(t: Test, options: TabOptions = {}) {
    const userId = therapist++
    const { caseId } = await stack.addSession('First meeting', userId)
    const tab = await openTab({ ...options, token: stack.mintToken(userId), path: `case/${caseId}` })
    const region = tab.page.getByRole('region', {
      name: options.language === 'ko' ? '보관된 모든 자료 내보내기' : 'Export everything that is held',
    })
    /** Puts an export there that no worker knows of. */
    const put = async (row: Partial<typeof caseExports.$inferInsert>) => {
      await db.delete(caseExports).where(eq(caseExports.caseId, caseId))
      await db.insert(caseExports).values({ caseId, withoutMedia: false, pseudonyms: false, ...row })
    }
    const set = (row: object) => db.update(caseExports).set(row).where(eq(caseExports.caseId, caseId))
    const look = async (name: string) => {
      // What is scrolled below the header counts as too small to be pressed.
      await tab.page.evaluate('scrollTo(0, 0)')
      t.strictSame(await tab.faults(), [], name)
      const wider = 'document.documentElement.scrollWidth - document.documentElement.clientWidth'
      t.ok(Number(await tab.page.evaluate(wider)) <= 0, `${name} is no wider than the window`)
      if (pictures) await tab.page.screenshot({ path: `${pictures}/export-${name}.png`, fullPage: true })
    }
    return { ...tab, tab, userId, caseId, region, put, set, look }
  }
  const ended = { finishedAt: sql`now()`, expiresAt: sql`now() + interval '7 days'` }

  t.test('it is begun by the keyboard, followed, and downloaded by a link that is not in the page', async (t) => {
    const { page, region, caseId, userId, look, complaints } = await begin(t)
    await region.locator('summary').focus()
    await page.keyboard.press('Enter')
    await region.getByLabel('With recordings').focus()
    await page.keyboard.press('Space')
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await look('begin')
    await page.keyboard.press('Tab')
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Make the file')
    await page.keyboard.press('Enter')
    await region.getByText(/It is ready, .* and is kept until/).waitFor(slow)
    t.equal(await page.evaluate('document.activeElement.role'), 'status', 'the focus stays where it was begun')
    await region.getByText('Without recordings, with codes in place of names').waitFor()
    await look('ready')
    t.notMatch(await page.content(), /playback\//)
    const [file] = await Promise.all([
      page.waitForEvent('download'),
      region.getByRole('button', { name: 'Download' }).press('Enter'),
    ])
    t.match(file.suggestedFilename(), /\.zip$/)
    const bytes = await readFile(await file.path())
    t.equal(bytes.toString('latin1', 0, 4), 'PK\u0003\u0004')
    t.ok(bytes.includes('manifest.json'))
    t.equal(bytes.length, Object(await call('GET', `/case/${caseId}/export`, undefined, userId)).size)
    t.strictSame(
      complaints.filter((text) => !text.includes('/export')),
      [],
      'but that there was none before',
    )
  })

  t.test('how far it is, why it failed and another attempt, and that it has expired', async (t) => {
    const { page, region, put, set, look } = await begin(t, { width: 360, colorScheme: 'dark' })
    await put({ stateId: State.READY })
    await region.getByText('Export everything that is held').click()
    await region.getByText('It waits until a worker is free').waitFor()
    t.equal(await region.getByRole('button').count(), 0, 'nothing to press while it is made')
    await set({ stateId: State.START, progress: 42, leaseUntil: sql`now() + interval '1 hour'` })
    await region.getByText('42 %').waitFor()
    t.equal(await region.getByRole('progressbar').getAttribute('value'), '42')
    t.notMatch(await region.getByRole('status').textContent(), '42', 'the percent is not told again and again')
    await look('made-dark')
    const failure = 'The case has more files than fit into one export.'
    await set({ stateId: State.ERROR, failure, leaseUntil: null, ...ended })
    await region.getByText('The file could not be made').waitFor()
    await region.locator('q', { hasText: failure }).waitFor()
    await look('failed-dark')
    await region.getByRole('button', { name: 'Make a new file' }).click()
    await region.getByText(/It is ready/).waitFor(slow)
    await set({ missing: 2, size: 1_204_331_020 })
    // Pages that are seen again look at once.
    await page.evaluate(`document.dispatchEvent(new Event('visibilitychange'))`)
    await region.getByText('2 files are not in it').waitFor()
    await region.getByText('1.2 GB').waitFor()
    await look('missing-dark')
    await set({ expiresAt: sql`now()` })
    await region.getByRole('button', { name: 'Download' }).click()
    await region.getByText('The last file is not there any more').waitFor()
    await region.getByRole('button', { name: 'Make the file' }).waitFor()
    await look('expired-dark')
  })

  t.test('in Korean; what another page has begun is shown, and two of a therapist are the most', async (t) => {
    const { region, put, set, look, userId, caseId } = await begin(t, { language: 'ko', width: 360 })
    await region.getByText('보관된 모든 자료 내보내기').click()
    await look('ko')
    await put({ stateId: State.START, progress: 7, leaseUntil: new Date(Date.now() + 3_600_000) })
    await region.getByRole('button', { name: '파일 만들기' }).click()
    await region.getByText('7 %').waitFor()
    await set({ stateId: State.ERROR, failure: 'It broke.', leaseUntil: null, ...ended })
    await region.getByText('파일을 만들지 못했습니다').waitFor()
    await look('ko-failed')
    for (let count = 0; count < 2; count++) {
      const other = await stack.addSession('Other', userId)
      const row = { caseId: other.caseId, withoutMedia: false, pseudonyms: false, stateId: State.START }
      await db.insert(caseExports).values({ ...row, leaseUntil: sql`now() + interval '1 hour'` })
    }
    await region.getByRole('button', { name: '새 파일 만들기' }).click()
    await region.getByRole('alert').getByText('파일 두 개를 이미 만들고').waitFor()
    await call('DELETE', `/case/${caseId}`, undefined, userId)
  })
})
