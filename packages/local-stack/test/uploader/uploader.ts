import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { type Teardown, until } from '@playtherapy/testing'
import { build } from 'esbuild'
import { type BrowserContext, chromium, type Page } from 'playwright-core'
import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

/** Debian's. */
export const browserPath = '/usr/bin/chromium'
const origin = 'http://localhost:3000'

const Shown = Type.Object({
  isDone: Type.Boolean(),
  error: Type.Union([Type.String(), Type.Null()]),
  /** Bytes that were sent, as the client tells its user. */
  sent: Type.Number(),
  /** Method and status of every response that a script could read. */
  answers: Type.Array(Type.String()),
  /** The offset of each PATCH that was sent. */
  offsets: Type.Array(Type.Number()),
})
type Shown = Static<typeof Shown>

interface UploadOptions {
  endpoint: string
  headers: Record<string, string>
  chunkSize?: number
}

/** A tab of a browser with the page of the client's origin. */
export interface Tab {
  page: Page
  /** Chooses this file of the disk and begins to upload it, or goes on with what the browser remembers of it. */
  upload(client: 'tus' | 'uppy', file: string, options: UploadOptions): Promise<void>
  now(): Promise<Shown>
  /** Waits until the upload has ended, by success or failure. */
  end(): Promise<Shown>
}

/** Real clients use one to five seconds, which would only make tests slow. */
const retryDelays = [0, 50, 100, 200, 400, 800, 1_600, 3_200]

/** Starts a browser. Returns a function that opens a tab; tabs share what pages store in it. */
export async function startBrowser(t: Teardown): Promise<{ context: BrowserContext; openTab(): Promise<Tab> }> {
  const [body, bundle, browser] = await Promise.all([
    readFile(new URL('./page.html', import.meta.url), 'utf8'),
    build({
      entryPoints: [fileURLToPath(new URL('./clients.js', import.meta.url))],
      bundle: true,
      write: false,
      format: 'iife',
      globalName: 'clients',
      logLevel: 'warning',
    }),
    chromium.launch({
      executablePath: browserPath,
      args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-features=LocalNetworkAccessChecks'],
    }),
  ])
  t.teardown(() => browser.close())
  const context = await browser.newContext()
  const clients = bundle.outputFiles[0]?.text ?? ''
  await context.route(`${origin}/**`, (route) => route.fulfill({ contentType: 'text/html', body }))
  await context.route(`${origin}/clients.js`, (route) =>
    route.fulfill({ contentType: 'text/javascript', body: clients }),
  )

  async function openTab(): Promise<Tab> {
    const page = await context.newPage()
    await page.goto(origin)
    const now = async () => Value.Parse(Shown, await page.evaluate('uploader.now()'))
    return {
      page,
      async upload(client, file, options) {
        await page.setInputFiles('input', file)
        await page.evaluate(`uploader.${client}(${JSON.stringify({ retryDelays, ...options })})`)
      },
      now,
      end: () => until('the end of an upload', now, ({ isDone, error }) => isDone || error !== null),
    }
  }
  return { context, openTab }
}
