import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'
import t from 'tap'
import { testServices } from './support.ts'

/** Debian's; a machine without it leaves this test out and says so. */
const browserPath = '/usr/bin/chromium'
const absent = !existsSync(browserPath) && !process.env.CI ? 'chromium is not installed' : false

t.test('the API page opens in a browser and makes a call', { skip: absent }, async (t) => {
  const services = await testServices(t)
  const browser = await chromium.launch({
    executablePath: browserPath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--no-first-run',
    ],
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  const complaints: string[] = []
  page.on('pageerror', (error) => complaints.push(error.message))
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))

  await page.goto(`${services.url}/documentation`)
  await page.getByRole('heading', { name: 'test', exact: false }).first().waitFor()
  const sections = await page.locator('.opblock-tag').allTextContents()
  for (const name of ['case', 'session', 'video', 'script', 'report', 'health']) {
    t.ok(
      sections.some((text) => text.startsWith(name)),
      name,
    )
  }

  // A token is entered once, then a call is tried: the list of this therapist's cases.
  await page.getByRole('button', { name: 'Authorize' }).click()
  await page.locator('.auth-container input').fill(services.as(7).authorization.replace('Bearer ', ''))
  await page.locator('.auth-container').getByRole('button', { name: 'Apply credentials' }).click()
  await page.locator('.auth-container').getByRole('button', { name: 'Close' }).click()
  const operation = page.locator('.opblock', { has: page.locator('[data-path="/contents/api/case/total-num"]') })
  await operation.locator('.opblock-summary-control').click()
  await operation.getByRole('button', { name: 'Try it out' }).click()
  const answered = page.waitForResponse((response) => response.url().includes('/case/total-num'))
  await operation.getByRole('button', { name: 'Execute' }).click()
  const response = await answered
  t.equal(response.status(), 200)
  t.equal(await response.text(), '1')
  await operation.locator('.live-responses-table .response-col_status', { hasText: '200' }).first().waitFor()
  t.strictSame(complaints, [])
})
