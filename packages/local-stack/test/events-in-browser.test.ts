/** A browser follows events by its own EventSource, while the process that sends them is killed and started again. */
import { existsSync } from 'node:fs'
import { sessions } from '@playtherapy/schema'
import { jwtSecret, ownProcess, type Signal, seedSession, testDatabase, testHost, until } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import { chromium } from 'playwright-core'
import t from 'tap'

/** Debian's; a machine without it leaves this test out and says so. */
const browserPath = '/usr/bin/chromium'
const absent = !existsSync(browserPath) && !process.env.CI ? 'chromium is not installed' : false
const origin = 'http://localhost:3000'

t.test('EventSource comes back to a restarted process and is told what it missed', { skip: absent }, async (t) => {
  const { db, url } = await testDatabase(t)
  const { sessionId } = await seedSession(db, 7)
  const { as } = await testHost(t, async () => {})
  // No request of this test needs the object store.
  const store = {
    S3_ENDPOINT: 'http://127.0.0.1:9',
    S3_BUCKET: 'none',
    S3_ACCESS_KEY_ID: 'x',
    S3_SECRET_ACCESS_KEY: 'x',
  }
  const contents = await ownProcess('contents', { DATABASE_URL: url, JWT_SECRET: jwtSecret, ...store })
  t.teardown(() => contents.kill('SIGKILL'))
  await contents.restart()
  const rename = (name: string) => db.update(sessions).set({ name }).where(eq(sessions.id, sessionId))

  const browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-features=LocalNetworkAccessChecks'],
  })
  t.teardown(() => browser.close())
  const page = await browser.newPage()
  await page.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body: '' }))
  await page.goto(origin)
  for (const signal of ['SIGTERM', 'SIGKILL'] satisfies Signal[]) {
    const ticket = await fetch(`${contents.url}/contents/api/events/ticket`, { method: 'POST', headers: as(7) })
    const { url: path } = Object(await ticket.json())
    await page.evaluate(`(() => {
      window.opened = 0
      window.told = []
      window.ids = []
      window.source?.close()
      const source = window.source = new EventSource('${contents.url}${path}')
      source.onopen = () => window.opened++
      for (const name of ['session', 'reset']) source.addEventListener(name, ({ data, lastEventId }) => {
        window.told.push(JSON.parse(data).session?.name ?? name)
        window.ids.push(Number(lastEventId))
      })
    })()`)
    await until('a stream', () => page.evaluate('window.opened === 1'))
    await rename(`before ${signal}`)
    const isTold = (name: string) => until(name, () => page.evaluate(`window.told.includes('${name}')`))
    await isTold(`before ${signal}`)
    t.equal(await contents.kill(signal), signal === 'SIGTERM' ? 0 : 'SIGKILL')
    await rename(`missed by ${signal}`)
    await contents.restart()
    await isTold(`missed by ${signal}`)
    await rename(`after ${signal}`)
    await isTold(`after ${signal}`)
    const { told, ids } = Object(await page.evaluate('({ told, ids })'))
    t.same(
      told,
      ['before', 'missed by', 'after'].map((when) => `${when} ${signal}`),
    )
    t.same(
      ids,
      [...new Set<number>(ids)].sort((a, b) => a - b),
    )
    t.equal(await page.evaluate('window.opened'), 2)
  }
})
