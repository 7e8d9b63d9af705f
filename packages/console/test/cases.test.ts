import { cases, sessions } from '@playtherapy/schema'
import { until } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { skip, startBrowser, startStack, type Tab } from './browser.ts'

/** Presses a key until what has this name has the focus, as somebody without a mouse does. */
async function tabTo({ page }: Tab, name: string, role: 'link' | 'button' | 'textbox' = 'button') {
  const wanted = page.getByRole(role, { name, exact: true })
  for (let left = 60; left > 0; left--) {
    await page.keyboard.press('Tab')
    if ((await wanted.and(page.locator(':focus')).count()) > 0) return
  }
  throw new Error(`No tab leads to ${name}`)
}

const focused = ({ page }: Tab) => page.evaluate('document.activeElement.textContent')
/** CSS pixels by which the page is wider than the window. */
const overflow = ({ page }: Tab) =>
  page.evaluate('document.documentElement.scrollWidth - document.documentElement.clientWidth')

t.test('the console', { skip }, async (t) => {
  const stack = await startStack(t)
  const { openTab } = await startBrowser(t, stack)
  const { db, call, mintToken } = stack
  let therapist = 100
  /** Somebody new, with a tab. */
  async function begin(options: Parameters<typeof openTab>[0] = {}) {
    const userId = therapist++
    const tab = await openTab({ token: mintToken(userId), ...options })
    return { userId, tab, page: tab.page }
  }

  t.test(
    'the link of npm start signs in, and leaves no token in the address or in what a browser stores',
    async (t) => {
      const tab = await openTab({ token: null })
      const { page } = tab
      await page.getByRole('button', { name: 'Sign in' }).waitFor()
      t.strictSame(await tab.faults(), [])
      await page.goto('about:blank')
      await page.goto(stack.link)
      await page.getByRole('heading', { name: 'Cases' }).waitFor()
      t.notMatch(page.url(), 'token')
      t.equal(
        await page.evaluate('JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])'),
        '[{},{},""]',
      )
      await page.reload()
      await page.getByRole('button', { name: 'Sign in' }).waitFor()
      t.strictSame(tab.complaints, [])
    },
  )

  t.test('a token is pasted as a terminal shows it; what is none, and one that is refused, is said', async (t) => {
    const { tab, page, userId } = await begin({ token: null })
    const field = page.getByLabel('Token', { exact: true })
    await field.fill('hello')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText('not a whole token').waitFor()
    await field.fill(`${mintToken(userId).slice(0, -3)}abc`)
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').getByText('does not accept this token').waitFor()
    t.strictSame(await tab.faults(), [])
    const text = mintToken(userId)
    await page
      .getByRole('dialog')
      .getByLabel('Token', { exact: true })
      .fill(`  Bearer ${text.slice(0, 60)}\n${text.slice(60)}\n`)
    await page.keyboard.press('Enter')
    await page.getByText('There are no cases yet').waitFor()
    t.equal(await page.getByRole('dialog').count(), 0)
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
  })

  t.test('a case is made, edited and deleted by the keyboard alone', async (t) => {
    const { tab, page, userId } = await begin()
    await page.getByText('There are no cases yet').waitFor()
    await tabTo(tab, 'New case')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'New case' }).locator('input:focus').waitFor()
    await page.keyboard.type('Kim')
    await page.keyboard.press('Enter')
    await page.getByText('A case needs a given name').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.type('Mina')
    await page.keyboard.press('Tab')
    await page.keyboard.type('6')
    t.strictSame(await tab.faults(), [])
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Mina Kim' }).waitFor()
    await until('the focus', async () => (await focused(tab)) === 'Mina Kim')
    await until('all that is loaded', async () => (await page.getByText('Loading').count()) === 0)
    t.strictSame(await tab.faults(), [])

    await tabTo(tab, 'New session')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').locator('input:focus').waitFor()
    await page.keyboard.type('First meeting')
    await page.keyboard.press('Enter')
    await page.waitForURL(/session\/\d+$/)
    await page.goBack()
    await page.getByRole('link', { name: 'First meeting' }).waitFor()

    await tabTo(tab, 'Delete')
    await page.keyboard.press('Enter')
    await page.getByText('deletes the case with 1 session, 0 recordings, 0 scripts and 0 reports').waitFor()
    t.strictSame(await tab.faults(), [])
    await page.keyboard.press('Enter')
    await page.getByText('Nothing is deleted before').waitFor()
    await page.keyboard.press('Escape')
    await until('the focus', async () => (await focused(tab)) === 'Delete')
    await page.keyboard.press('Enter')
    await page.getByRole('dialog').locator('input:focus').waitFor()
    // The browser tells of a closed dialog in a later task; by then another one may be open.
    const isOpen = await page.evaluate(`(async () => {
      const drawn = async () => { for (let turn = 0; turn < 100; turn++) await undefined }
      document.querySelector('dialog').dispatchEvent(new Event('cancel', { cancelable: true }))
      await drawn()
      document.activeElement.click()
      await drawn()
      await new Promise((resolve) => setTimeout(resolve, 100))
      return document.querySelector('dialog')?.open ?? false
    })()`)
    t.equal(isOpen, true, 'the end of a dialog ends no other one')
    await page.getByRole('dialog').locator('input:focus').waitFor()
    await page.keyboard.type('delete')
    await page.keyboard.press('Enter')
    await page.getByText('There are no cases yet').waitFor()
    t.strictSame(await db.select().from(cases).where(eq(cases.userId, userId)), [])
    await page.getByText('Deleted, and the proof of it').click()
    await page.getByText('The proof comes').waitFor()
    await page.getByRole('button', { name: 'Older' }).click()
    await page.getByText('There is nothing older').waitFor()
    t.match(await page.evaluate('document.activeElement.textContent'), 'nothing older', 'the focus goes on')
    t.strictSame(await tab.faults(), [])
    t.strictSame(tab.complaints, [])
  })

  t.test('what a case holds beside what was edited survives, also what somebody else has just changed', async (t) => {
    const { page, userId } = await begin()
    const description = { age: 'six and a half', gender: 'M', note: { likes: ['sand', 'water'] } }
    const { id } = Object(await call('POST', '/case', { given_name: 'Ji', family_name: null, description }, userId))
    await page.reload()
    // The link in a tab that has the page already.
    await page.goto(`${stack.url}/#token=${mintToken(userId)}`)
    await page.getByRole('button', { name: 'Edit Ji' }).click()
    await call(
      'PUT',
      `/case/${id}`,
      { given_name: 'Ji', family_name: 'Lee', description: { ...description, more: 1 } },
      userId,
    )
    await page.getByLabel('Gender').selectOption('Girl')
    await page.getByLabel('State').selectOption('Running')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByText('Running').waitFor()
    t.match(await call('GET', `/case/${id}`, undefined, userId), {
      given_name: 'Ji',
      family_name: 'Lee',
      case_state_id: 2,
      description: { ...description, gender: 'F', more: 1 },
    })
  })

  t.test('the list is paged and searched, and the way back finds it as it was', async (t) => {
    const { tab, page, userId } = await begin()
    for (let number = 1; number <= 21; number++)
      await call(
        'POST',
        '/case',
        { given_name: `child ${number}`, description: { note: number === 3 ? '모래놀이' : '' } },
        userId,
      )
    await page.reload()
    await page.goto(`${stack.url}/#token=${mintToken(userId)}`)
    await page.getByText('Page 1 of 3').first().waitFor()
    await page.getByRole('button', { name: 'Older' }).click()
    await page.getByText('Page 2 of 3').first().waitFor()
    await page.getByRole('link', { name: 'child 11', exact: true }).click()
    await page.getByRole('heading', { name: 'child 11' }).waitFor()
    await page.goBack()
    await page.getByText('Page 2 of 3').first().waitFor()
    await page.getByLabel('Search').fill('모래')
    await page.getByRole('link', { name: 'child 3' }).waitFor()
    await until(
      'one case',
      () => page.locator('.cards > li').count(),
      (number) => number === 1,
    )
    t.notMatch(page.url(), '%')
    await page.getByLabel('Search').fill('nobody has this')
    await page.getByText('No case has this').waitFor()
    await page.getByRole('button', { name: 'Show all' }).click()
    await page.getByText('Page 1 of 3').first().waitFor()
    t.strictSame(tab.complaints, [])
  })

  t.test('a session shows by itself what happens to it elsewhere', async (t) => {
    const { tab, page, userId } = await begin()
    const { caseId, sessionId } = await stack.addSession('First', userId)
    await tab.go(`#case/${caseId}`)
    await page.getByRole('link', { name: 'First' }).waitFor()
    await call('PUT', `/case/${caseId}/session/${sessionId}`, { data: { name: 'Renamed elsewhere' } }, userId)
    await page.getByRole('link', { name: 'Renamed elsewhere' }).waitFor()
    await db.update(sessions).set({ scriptStateId: 2 }).where(eq(sessions.id, sessionId))
    await page.getByText('Script is written').waitFor()
    await call('POST', `/case/${caseId}/session`, { data: { name: 'Second' } }, userId)
    await page.getByRole('link', { name: 'Second' }).waitFor()
    await call('DELETE', `/case/${caseId}/session/${sessionId}`, undefined, userId)
    await page.getByRole('link', { name: 'Renamed elsewhere' }).waitFor({ state: 'detached' })
    t.strictSame(tab.complaints, [])
  })

  t.test('offline and 503 are told, and what was typed is kept and can be saved afterwards', async (t) => {
    const { tab, page, userId } = await begin()
    await page.getByText('There are no cases yet').waitFor()
    await page.getByRole('button', { name: 'New case' }).click()
    await page.getByLabel('Given name').fill('Mina')
    await tab.context.setOffline(true)
    await page.getByText('This device is offline').waitFor()
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('alert').getByText('The server did not answer').waitFor()
    t.strictSame(await tab.faults(), [])
    await tab.context.setOffline(false)
    await page.getByText('This device is offline').waitFor({ state: 'detached' })
    await page.route('**/contents/api/case', (route) =>
      route.fulfill({
        status: 503,
        headers: { 'retry-after': '7' },
        json: { message: 'Try again later', error_code: 10 },
      }),
    )
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('alert').getByText('Try again in 7 s').waitFor()
    await page.unroute('**/contents/api/case')
    t.equal(await page.getByLabel('Given name').inputValue(), 'Mina')
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: 'Mina' }).waitFor()
    t.equal((await db.select().from(cases).where(eq(cases.userId, userId))).length, 1)
  })

  t.test('a token that ends leaves the page as it is below the dialog that asks for another', async (t) => {
    const { tab, page, userId } = await begin({ token: null })
    // The services bear it for six seconds more.
    await page.goto(`${stack.url}/#token=${mintToken(userId, -4)}`)
    await page.getByRole('button', { name: 'New case' }).click()
    await page.getByLabel('Given name').fill('Mina')
    await page
      .getByRole('dialog', { name: 'Sign in again' })
      .getByText('Your token has expired')
      .waitFor({ timeout: 30_000 })
    t.strictSame(await tab.faults(), [])
    await page.getByLabel('Token', { exact: true }).fill(mintToken(userId))
    await page.keyboard.press('Enter')
    await page.getByRole('dialog', { name: 'Sign in again' }).waitFor({ state: 'detached' })
    t.equal(await page.getByLabel('Given name').inputValue(), 'Mina')
    await page.getByRole('button', { name: 'Create' }).click()
    await page.getByRole('heading', { name: 'Mina' }).waitFor()
  })

  t.test('a therapist sees who saw what of a case, who found nothing there, and who was refused', async (t) => {
    const { tab, page, userId } = await begin({ width: 360 })
    const { caseId, sessionId } = await stack.addSession('First', userId)
    for (const nothing of ['export', `session/${sessionId}/analyze-report`])
      await t.rejects(call('GET', `/case/${caseId}/${nothing}`, undefined, userId))
    await t.rejects(call('GET', `/case/${caseId}`, undefined, userId + 1))
    await tab.go(`#case/${caseId}`)
    const trail = page.getByRole('region', { name: 'Who saw what' })
    await trail.locator('summary').focus()
    await page.keyboard.press('Enter')
    await trail.getByRole('row', { name: `Therapist ${userId + 1} was refused Case` }).waitFor()
    t.match(await page.evaluate('document.activeElement.textContent'), 'Who saw what', 'the focus stays')
    for (const nothing of ['Export of everything', 'Report'])
      await trail.getByRole('row', { name: `You found nothing ${nothing}` }).waitFor()
    await trail.getByRole('row', { name: 'You saw Case' }).first().waitFor()
    await trail.getByRole('button', { name: 'Older' }).click()
    await trail.getByRole('row', { name: 'Therapist' }).waitFor({ state: 'detached' })
    await trail.getByText('There is nothing older').waitFor()
    t.equal(await page.evaluate('document.activeElement.textContent'), 'Older', 'the focus stays')
    await trail.getByRole('button', { name: 'Newest' }).click()
    await trail.getByText(/From .* back to/).waitFor()
    await trail.getByRole('row', { name: 'You saw This list' }).first().waitFor()
    t.equal(await overflow(tab), 0)
    t.strictSame(await tab.faults(), [])
  })

  t.test('any name is shown whole on a phone, in Korean, light and dark', async (t) => {
    for (const colorScheme of ['light', 'dark'] as const) {
      const { tab, page, userId } = await begin({ language: 'ko', width: 360, height: 740, colorScheme })
      const names = [
        'a'.repeat(200),
        'محمد علي',
        '👨‍👩‍👧‍👦🧸',
        '지우'.normalize('NFD'),
        '<b>bold</b> & "quoted"',
        '\u202Eevil',
        ' ',
      ]
      for (const name of names) await call('POST', '/case', { given_name: name, family_name: '김' }, userId)
      const { caseId } = await stack.addSession('b'.repeat(200), userId)
      await page.getByRole('heading', { name: '사례' }).waitFor()
      await tab.go(`#case/${caseId}`)
      await page.getByRole('link', { name: 'bbb' }).waitFor()
      t.equal(await overflow(tab), 0)
      t.strictSame(await tab.faults(), [])
      await page.screenshot({ path: `/tmp/shell-case-${colorScheme}.png` })
      await tab.go('#cases')
      await page.getByRole('link', { name: '김aaa' }).waitFor()
      t.equal(await overflow(tab), 0)
      t.strictSame(await tab.faults(), [])
      await page.screenshot({ path: `/tmp/shell-cases-${colorScheme}.png` })
      await page.getByRole('button', { name: '새 사례' }).click()
      t.equal(await overflow(tab), 0)
      t.strictSame(await tab.faults(), [])
      await page.screenshot({ path: `/tmp/shell-form-${colorScheme}.png` })
      await page.getByRole('button', { name: '취소' }).click()
      await page.getByRole('button', { name: 'English' }).click()
      await page.getByRole('heading', { name: 'Cases' }).waitFor()
      t.equal(await page.evaluate('document.documentElement.lang'), 'en')
      t.strictSame(tab.complaints, [])
    }
  })
})
