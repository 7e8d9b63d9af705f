/** For the tests of all views: the stack of `npm start`, and tabs of a real browser in which somebody is signed in. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@playtherapy/embedded-postgres'
import { jwtSecret, sourceOptions, type Teardown, testDatabase, until } from '@playtherapy/testing'
import { createSigner } from 'fast-jwt'
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core'

/** Debian's; a machine without it leaves these tests out and says so. */
const browserPath = '/usr/bin/chromium'
export const skip = existsSync(browserPath) || process.env.CI ? false : 'needs chromium'

const main = fileURLToPath(new URL('../../local-stack/src/main.ts', import.meta.url))

export type TestStack = Awaited<ReturnType<typeof startStack>>

/**
 * Starts everything as `npm start -- --no-demo` does, on a database of its own, with so many workers (none, unless a test encodes).
 * It takes some four seconds.
 */
export async function startStack(t: Teardown, { workers = 0 }: { workers?: number } = {}) {
  const { db, sql, url: databaseUrl } = await testDatabase(t)
  const port = await freePort()
  const args = ['--no-demo', '--ephemeral', '--workers', `${workers}`, '--port', `${port}`]
  const child = spawn(process.execPath, [...sourceOptions, main, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, NO_COLOR: '1', LOG_LEVEL: 'error', DATABASE_URL: databaseUrl, JWT_SECRET: jwtSecret },
  })
  t.teardown(() => child.kill('SIGKILL'))
  let output = ''
  child.stdout.on('data', (text) => {
    output += text
  })
  await until('the start of the stack', () => output.includes('Ctrl-C') || child.exitCode !== null)
  const url = `http://localhost:${port}`

  const sign = createSigner({ key: jwtSecret, algorithm: 'HS256' })
  /** A token of this therapist that ends after so many seconds; the services bear ten more. */
  const mintToken = (userId = 7, seconds = 3_600) =>
    sign({ user_id: userId, user_name: '박하늘', exp: Math.floor(Date.now() / 1_000) + seconds })

  return {
    url,
    db,
    sql,
    /** A token with these claims. */
    sign,
    mintToken,
    /** The link that the terminal shows. */
    link: /http\S+#token=\S+/.exec(output)?.[0] ?? '',
    /** Calls a route as this therapist, with a JSON body where one is given. Returns what it answers; rejects a refusal. */
    async call(method: string, path: string, body?: unknown, userId = 7): Promise<unknown> {
      const response = await fetch(`${url}/contents/api${path}`, {
        method,
        headers: {
          authorization: `Bearer ${mintToken(userId)}`,
          ...(body !== undefined && { 'content-type': 'application/json' }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const text = await response.text()
      if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
      return JSON.parse(text)
    },
    /** Adds a case with a session, and returns the ids of both. */
    async addSession(name = 'First meeting', userId = 7): Promise<{ caseId: number; sessionId: number }> {
      const added = Object(await this.call('POST', '/case', { given_name: '지우', family_name: '김' }, userId))
      const session = Object(await this.call('POST', `/case/${added.id}/session`, { data: { name } }, userId))
      return { caseId: added.id, sessionId: session.id }
    },
  }
}

export interface TabOptions {
  language?: 'en' | 'ko'
  /** CSS pixels. */
  width?: number
  height?: number
  colorScheme?: 'light' | 'dark'
  /** Who is signed in; null for nobody. */
  token?: string | null
  /** What follows `#` in the address. */
  path?: string
}

export interface Tab {
  page: Page
  context: BrowserContext
  /** What the console of the browser complained of: errors, rejected promises, violations of the content security policy. */
  complaints: string[]
  /** Goes to a view by its address, as a click on a link does. */
  go(path: string): Promise<void>
  /** Returns what axe-core finds against WCAG 2.2 AA, each with its places. */
  faults(): Promise<string[]>
}

/** Starts a browser. Returns a function that opens the console in a new profile of it. */
export async function startBrowser(t: Teardown, stack: Pick<TestStack, 'url'> & Partial<TestStack>) {
  const browser: Browser = await chromium.launch({
    executablePath: browserPath,
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--autoplay-policy=no-user-gesture-required'],
  })
  t.teardown(() => browser.close())
  const axe = await readFile(fileURLToPath(import.meta.resolve('axe-core/axe.min.js')), 'utf8')

  async function openIn(
    context: BrowserContext,
    { token = stack.mintToken?.() ?? null, path = '' }: TabOptions = {},
  ): Promise<Tab> {
    const page = await context.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(`${error}`))
    page.on(
      'console',
      (message) => message.type() === 'error' && complaints.push(`${message.text()} ${message.location().url}`),
    )
    page.setDefaultTimeout(process.env.CI ? 60_000 : 10_000)
    const go = (to: string) => page.evaluate(`location.hash = ${JSON.stringify(to)}`).then(() => {})
    await page.goto(token === null ? `${stack.url}/#${path}` : `${stack.url}/#token=${token}`)
    if (token !== null && path) await go(path)
    return {
      page,
      context,
      complaints,
      go,
      async faults() {
        await page.evaluate(axe)
        const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']
        const { violations } = Object(await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(tags)} })`))
        return violations.map(
          ({ id, nodes }: { id: string; nodes: { html: string; failureSummary: string }[] }) =>
            `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join(' | ')}`,
        )
      },
    }
  }

  return {
    browser,
    /** Opens the console in a profile of its own. */
    async openTab({ language = 'en', width = 1280, height = 800, colorScheme = 'light', ...options }: TabOptions = {}) {
      const context = await browser.newContext({
        locale: language === 'ko' ? 'ko-KR' : 'en-GB',
        viewport: { width, height },
        colorScheme,
        acceptDownloads: true,
      })
      return openIn(context, options)
    },
    /** Opens the console in another tab of the same profile. */
    openBeside: ({ context }: Tab, options?: TabOptions) => openIn(context, options),
  }
}
