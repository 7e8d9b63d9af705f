/** Views whose code is loaded when they are opened, while the server is renewed, slow, or cannot be reached. */
import { flakyLink, until } from '@playtherapy/testing'
import type { Route } from 'playwright-core'
import t from 'tap'
import { skip, startBrowser, startStack } from './browser.ts'

const views = /\/(session-view|operations-view)-\w+\.js$/

t.test('views that are parts of their own', { skip, timeout: 120_000 }, async (t) => {
  const stack = await startStack(t)
  const { openTab } = await startBrowser(t, stack)
  const { caseId, sessionId } = await stack.addSession('First')
  const session = `case/${caseId}/session/${sessionId}`

  t.test(
    'a page of before the server was renewed says so, and keeps what is typed until it is loaded anew',
    async (t) => {
      const tab = await openTab({ token: null })
      const { page, context } = tab
      await context.route(views, (route) => route.fulfill({ status: 404 }))
      await context.route(/\/\??$/, async (route) => {
        if (route.request().isNavigationRequest()) return route.continue()
        return route.fulfill({ body: '<script src="main-NEWER.js"></script>' })
      })
      await page.goto(`${stack.url}/?#token=${stack.mintToken()}`)
      await page.getByRole('button', { name: 'New case' }).click()
      await page.getByLabel('Given name').fill('민서')
      await page.getByText('There is a newer version of this page').waitFor()
      t.equal(await page.getByLabel('Given name').inputValue(), '민서', 'it was noticed ahead, and takes nothing away')
      await page.getByRole('button', { name: 'Create' }).click()
      await page.getByRole('heading', { name: '민서' }).waitFor()

      await tab.go(session)
      await page.getByText('This view could not be loaded').waitFor()
      t.strictSame(await tab.faults(), [])
      await tab.go(`case/${caseId}`)
      await page.getByRole('link', { name: 'First', exact: true }).waitFor()
      await tab.go(session)
      await page.getByRole('button', { name: 'Load the page anew' }).waitFor()
      await context.unrouteAll()
      await page.getByRole('button', { name: 'Load the page anew' }).click()
      await page.getByRole('button', { name: 'Sign in' }).waitFor()
      t.equal(new URL(page.url()).hash, `#${session}`, 'at the same place')
      await page.getByLabel('Token').fill(stack.mintToken())
      await page.keyboard.press('Enter')
      await page.getByText('This session has no recording yet').waitFor()
    },
  )

  t.test('a view is shown whose code, asked for ahead, comes just when it is opened', async (t) => {
    const { page, context, go } = await openTab({ token: null })
    // What Preact does after a paint comes late, as on a slow machine.
    await context.addInitScript(`{
      const after = setTimeout
      requestAnimationFrame = (work) => after(work, 2_000)
      setTimeout = (work, ms, ...rest) => after(work, ms === 35 ? 2_000 : ms, ...rest)
    }`)
    const asked: Route[] = []
    let isHeld = true
    await context.route(views, (route) => (isHeld ? void asked.push(route) : route.continue()))
    await page.goto(`${stack.url}/?#token=${stack.mintToken()}`)
    await until('the code, ahead', () => asked.length > 0)
    await go(session)
    await page.locator('main').waitFor()
    isHeld = false
    await Promise.all(asked.map((route) => route.continue()))
    await page.getByText('This session has no recording yet').waitFor()
    t.equal(await page.getByRole('heading', { name: 'First' }).count(), 1)
  })

  t.test('a page whose script the server does not have says so after some seconds', async (t) => {
    const { page, context } = await openTab({ token: null })
    await context.route(/\/(main|chunk)-\w+\.js$/, (route) => route.fulfill({ status: 404 }))
    await page.goto(`${stack.url}/?`)
    const told = page.getByText('load it anew')
    await until(
      'the words',
      () => told.evaluate('getComputedStyle(document.querySelector(".unloaded")).opacity'),
      (seen) => seen === '1',
    )
    t.match(await page.locator('[lang=ko].unloaded').textContent(), '새로 고쳐')
    await context.unrouteAll()
    await page.reload()
    await page.getByRole('button', { name: 'Sign in' }).waitFor()
    t.equal(await told.count(), 0)
  })

  t.test('a view is asked for again, in the language of the page, by the keyboard', async (t) => {
    const tab = await openTab({ token: null, language: 'ko', width: 360 })
    const { page, context } = tab
    let isAway = true
    // Browsers differ in whether they ask again for a module that did not come.
    await context.route(views, (route) => (isAway ? route.abort() : route.continue()))
    await page.goto(`${stack.url}/?#token=${stack.mintToken()}`)
    await tab.go(session)
    await page.getByText('이 화면을 불러오지 못했습니다.').waitFor()
    t.strictSame(await tab.faults(), [])
    isAway = false
    await page.getByRole('button', { name: '다시 시도' }).focus()
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'First' }).waitFor()
    t.equal(await page.evaluate('document.activeElement.tagName'), 'H1', 'where a screen reader begins')
  })

  t.test('a view that is slow shows that, and another one is opened meanwhile', async (t) => {
    const tab = await openTab({ token: null })
    const { page, context } = tab
    const held: Route[] = []
    await context.route(views, (route) => void held.push(route))
    await page.goto(`${stack.url}/?#token=${stack.mintToken()}`)
    await tab.go(session)
    await page.getByText('Loading').waitFor()
    await tab.go('cases')
    await page.getByRole('heading', { name: 'Cases' }).waitFor()
    await tab.go(session)
    await until('the part', () => held.length > 0)
    for (const route of held) await route.continue()
    await page.getByRole('heading', { name: 'First' }).waitFor()
    t.strictSame(tab.complaints, [])
  })

  t.test('a page that has loaded its parts ahead opens a view while the server is away', async (t) => {
    const link = await flakyLink(t, stack.url)
    const linked = await startBrowser(t, { ...stack, url: link.url.replace(/\/$/, '') })
    const tab = await linked.openTab({ token: null })
    const { page } = tab
    const loaded = page.waitForResponse(/\/hls-\w+\.js$/).then((response) => response.finished())
    await page.goto(`${link.url}?#token=${stack.mintToken()}`)
    await loaded
    link.cut()
    await tab.go(session)
    await page.getByText('The server did not answer').waitFor()
    t.equal(await page.getByText('could not be loaded').count(), 0)
  })
})
