/** A browser follows events by its own EventSource through the gateway, while the process that sends them fails. */
import { existsSync } from 'node:fs'
import { sessions } from '@playtherapy/schema'
import {
  hasNginx,
  jwtSecret,
  ownProcess,
  type Signal,
  seedSession,
  startNginx,
  testDatabase,
  testHost,
  until,
} from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import { chromium } from 'playwright-core'
import t from 'tap'

/** Debian's; a machine without them leaves this test out and says so. */
const browserPath = '/usr/bin/chromium'
const isInstalled = existsSync(browserPath) && hasNginx()
const skip = isInstalled || process.env.CI ? false : 'needs chromium and nginx'
const origin = 'http://localhost:3000'
const nowhere = 'http://127.0.0.1:9'
/** The `readyState` of an EventSource that does not come back. */
const closed = 2

t.test('EventSource follows a process through the gateway', { skip }, async (t) => {
  const { db, urls } = await testDatabase(t)
  const { caseId, sessionId } = await seedSession(db, 7)
  const { as, withClaims } = await testHost(t, async () => {})
  // No request of this test needs the object store.
  const store = { S3_ENDPOINT: nowhere, S3_BUCKET: 'none', S3_ACCESS_KEY_ID: 'x', S3_SECRET_ACCESS_KEY: 'x' }
  const contents = await ownProcess('contents', { DATABASE_URL: urls.contents, JWT_SECRET: jwtSecret, ...store })
  t.teardown(() => contents.kill('SIGKILL'))
  const gateway = await startNginx(t.testdir(), { contents: contents.url, media: nowhere, store: nowhere })
  t.teardown(() => gateway.stop())
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

  const follow = async (headers: Record<string, string>) => {
    const ticket = await fetch(`${gateway.url}/contents/api/events/ticket`, { method: 'POST', headers })
    const { url: path } = Object(await ticket.json())
    await page.evaluate(`(() => {
      window.opened = 0
      window.told = []
      window.ids = []
      window.source?.close()
      const source = window.source = new EventSource('${gateway.url}${path}')
      source.onopen = () => window.opened++
      for (const name of ['session', 'reset']) source.addEventListener(name, ({ data, lastEventId }) => {
        const { session, deleted } = JSON.parse(data)
        window.told.push(deleted ? 'deleted' : session?.name ?? name)
        window.ids.push(Number(lastEventId))
      })
    })()`)
    await until('a stream', () => page.evaluate('window.opened === 1'))
  }
  const isTold = (name: string) => until(name, () => page.evaluate(`window.told.includes('${name}')`))

  for (const signal of ['SIGTERM', 'SIGKILL'] satisfies Signal[]) {
    await follow(as(7))
    await rename(`before ${signal}`)
    await isTold(`before ${signal}`)
    t.equal(await contents.kill(signal), signal === 'SIGTERM' ? 0 : 'SIGKILL')
    await rename(`missed by ${signal}`)
    // It comes back at least once while nobody is there to answer.
    await until('an answer of the gateway', () => page.evaluate('window.opened >= 2'))
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
  }

  const path = `${gateway.url}/contents/api/case/${caseId}/session/${sessionId}`
  t.equal((await fetch(path, { method: 'DELETE', headers: as(7) })).ok, true)
  await isTold('deleted')

  await follow(withClaims({ user_id: 7, exp: Math.floor(Date.now() / 1000) + 2 }))
  await until('its end', () => page.evaluate(`window.source.readyState === ${closed}`))
  t.equal(await page.evaluate('window.opened'), 1, 'the ticket ended with its token')
})
