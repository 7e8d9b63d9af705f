/** The stream of events in many tabs, in one that slept, and beside what browsers do to a page. */
import { until } from '@playtherapy/testing'
import t from 'tap'
import { skip, startBrowser, startStack, type Tab } from './browser.ts'

t.test('the page in a browser that is used', { skip, timeout: 120_000 }, async (t) => {
  const stack = await startStack(t)
  const { openTab, openBeside } = await startBrowser(t, stack)
  const { caseId, sessionId } = await stack.addSession('First')
  const path = `#case/${caseId}`
  const rename = (name: string) => stack.call('PUT', `/case/${caseId}/session/${sessionId}`, { data: { name } })
  const isShown = ({ page }: Tab, name: string) => page.getByRole('link', { name, exact: true }).waitFor()

  t.test('eight tabs share one stream, and the others go on when the one that has it is closed', async (t) => {
    const first = await openTab({ path })
    await isShown(first, 'First')
    let streams = 0
    first.context.on('request', (request) => {
      if (request.url().endsWith('/events')) streams++
    })
    const others: Tab[] = []
    for (let count = 0; count < 7; count++) others.push(await openBeside(first, { path }))
    for (const tab of others) await isShown(tab, 'First')
    await rename('told to all')
    for (const tab of [first, ...others]) await isShown(tab, 'told to all')
    t.equal(streams, 0, 'none of them opened another one')
    await first.page.close()
    await until('the next stream', () => streams === 1)
    await rename('told by the next')
    for (const tab of others) await isShown(tab, 'told by the next')
    // Somebody else in the same browser hears nothing of it, and has a stream of their own.
    const another = await openBeside(first, { token: stack.mintToken(8) })
    await another.page.getByText('There are no cases yet').waitFor()
    t.equal(streams, 2)
    t.strictSame(
      [...others, another].flatMap(({ complaints }) => complaints),
      [],
    )
  })

  t.test(
    'a browser is asked not to translate the page, and where it does all the same, the page does not break',
    async (t) => {
      const tab = await openTab({ path })
      const { page } = tab
      t.equal(await page.getAttribute('html', 'translate'), 'no')
      await isShown(tab, 'told by the next')
      // What Google Translate does: each text is moved into an element of its own.
      const translate = () =>
        page.evaluate(`(() => {
        const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT)
        const texts = []
        while (walker.nextNode()) texts.push(walker.currentNode)
        for (const text of texts) {
          const font = document.createElement('font')
          text.replaceWith(font)
          font.append('«' + text.data + '»')
        }
      })()`)
      await translate()
      await page.getByRole('button', { name: 'New session' }).click()
      await translate()
      await page.getByRole('dialog').getByRole('button', { name: 'Create' }).click()
      await page.getByRole('alert').waitFor()
      await translate()
      await page.getByRole('dialog').getByRole('button', { name: 'Cancel' }).click()
      await page.getByRole('dialog').waitFor({ state: 'detached' })
      await page.getByRole('button', { name: 'Delete told by the next' }).click()
      await translate()
      await page.getByRole('dialog').getByRole('textbox').fill('no')
      await page.keyboard.press('Escape')
      await tab.go('#cases')
      await page.getByRole('heading', { name: 'Cases' }).waitFor()
      t.strictSame(tab.complaints, [])
    },
  )

  t.test('a browser that stores nothing and has no locks shows the page all the same', async (t) => {
    const tab = await openTab({ token: null })
    await tab.page.addInitScript(`
      Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('denied', 'SecurityError') } })
      Object.defineProperty(navigator, 'locks', { value: undefined })`)
    await tab.page.goto('about:blank')
    await tab.page.goto(`${stack.url}/#token=${stack.mintToken()}`)
    await tab.page.getByRole('button', { name: '한국어' }).click()
    await tab.page.getByRole('heading', { name: '사례' }).waitFor()
    await tab.go(path)
    await rename('without locks')
    await isShown(tab, 'without locks')
    t.strictSame(tab.complaints, [])
  })

  t.test('a page that the browser kept while another one was shown goes on', async (t) => {
    const tab = await openTab({ path })
    await isShown(tab, 'without locks')
    await tab.page.goto(`${stack.url}/documentation`)
    await rename('while it was away')
    await tab.page.goBack()
    await tab.page
      .getByText(/while it was away|Token/)
      .first()
      .waitFor()
    t.strictSame(tab.complaints, [])
  })
})
