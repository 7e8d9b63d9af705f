import { setTimeout as sleep } from 'node:timers/promises'
import { buildConsole } from '@playtherapy/console'
import { chromium } from 'playwright-core'
import { figure, quantile } from '../measure.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'

const records = 3_000
const [rounds, frames] = [5, 300]
/** What a fast wheel scrolls in a frame, in pixels. */
const stepPixels = 120

const madeUpScript = () =>
  JSON.stringify({
    scripts: Array.from({ length: records }, (_, n) => ({
      start_time: new Date(n * 2_000).toISOString().slice(11, 19),
      end_time: new Date(n * 2_000 + 1_500).toISOString().slice(11, 19),
      speaker: n % 3 === 0 ? 'T' : 'C1',
      text: `${n} ${'오늘은 무엇을 하고 놀까? '.repeat((n * 7) % 11)}`,
    })),
  })

/** Scrolls, and returns the times between the frames that were shown meanwhile, in milliseconds. */
const scroll = `new Promise((resolve) => {
  const list = document.querySelector('.records')
  list.scrollTop = 0
  const times = []
  let last
  const step = (now) => {
    if (last !== undefined) times.push(now - last)
    last = now
    list.scrollBy(0, ${stepPixels})
    if (times.length < ${frames}) requestAnimationFrame(step)
    else resolve(times)
  }
  requestAnimationFrame(step)
})`

/** The script of the console in Chromium, while somebody scrolls through three thousand records. */
export const consoleScroll: Row = {
  name: 'console-scroll',
  async measure(place) {
    const databaseUrl = await place.database('console')
    const env = await place.settings(databaseUrl)
    const contents = await place.start({ program: 'contents', env, ready: '/health/ready' })
    const script = await place.start({ program: 'script', env, ready: '/health/ready' })
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const body = new FormData()
    body.append('script', new Blob([madeUpScript()]))
    const headers = place.as(therapist)
    const saved = await fetch(`${script.url}${session.path}/script`, { method: 'POST', headers, body })
    if (!saved.ok) throw new Error(`the script was not saved: ${saved.status}`)

    const files = await buildConsole({ signInByLink: true })
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: ['--no-sandbox', '--disable-gpu'],
    })
    const page = await browser.newPage({ viewport: { width: 1280, height: 1000 } })
    // As the gateway does, which would be one more process.
    await page.route(`${contents.url}/**`, async (route) => {
      const { pathname, search } = new URL(route.request().url())
      const name = pathname.slice(1) || 'index.html'
      const file = files.get(name)
      const types: Record<string, string> = { html: 'text/html', js: 'text/javascript', css: 'text/css' }
      if (file)
        return route.fulfill({ body: Buffer.from(file), contentType: types[name.split('.').at(-1) ?? ''] ?? '' })
      if (/\/script(\/|$)/.test(pathname))
        return route.fulfill({ response: await route.fetch({ url: `${script.url}${pathname}${search}` }) })
      return route.continue()
    })
    await page.goto(`${contents.url}/#token=${headers.authorization.slice('Bearer '.length)}`)
    await page.evaluate(`location.hash = ${JSON.stringify(session.path.replace('/contents/api/', ''))}`)
    await page.locator('.records tr').first().waitFor()
    await sleep(1_000)
    const measured: number[][] = []
    for (let round = 0; round < rounds; round++) measured.push(await page.evaluate(scroll))
    await browser.close()
    await script.stop()
    await contents.stop()
    const name = `console, a script of ${records} records scrolled`
    return [
      figure(
        { name: `${name}: time of a frame, median`, unit: 'ms', target: { most: 20 } },
        measured.map((times) => quantile(times, 0.5)),
      ),
      figure(
        { name: `${name}: time of a frame, p95`, unit: 'ms', target: { most: 25 } },
        measured.map((times) => quantile(times, 0.95)),
      ),
    ]
  },
}
