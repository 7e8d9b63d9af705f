import t from 'tap'
import { skip, startBrowser, startStack } from './browser.ts'

t.test('the console', { skip }, async (t) => {
  const stack = await startStack(t)
  const { openTab } = await startBrowser(t, stack)

  t.test(
    'nobody is signed in at first; the link of npm start signs in and leaves no token in the address',
    async (t) => {
      const tab = await openTab({ token: null })
      await tab.page.getByRole('button', { name: 'Sign in' }).waitFor()
      t.strictSame(await tab.faults(), [])
      await tab.page.goto('about:blank')
      await tab.page.goto(stack.link)
      await tab.page.getByRole('button', { name: 'Sign out' }).waitFor()
      t.notMatch(tab.page.url(), 'token')
      t.strictSame(tab.complaints, [])
      await tab.page.screenshot({ path: '/tmp/shell-1.png' })
    },
  )
})
