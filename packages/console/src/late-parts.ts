import { type ReadonlySignal, signal } from '@preact/signals'

const outdated = signal(false)
/** Whether the server has a newer page than this one: what this one has not loaded by then, it may never get. */
export const isPageOld: ReadonlySignal<boolean> = outdated

/** The script of this page, whose name tells one version of the page from another. */
const own = document.querySelector('script[type=module]')?.getAttribute('src')

/** Asks for the page that the server has now. */
async function look(): Promise<void> {
  try {
    const response = await fetch(location.pathname, { cache: 'no-store' })
    const [now] = /main-\w+\.js/.exec(await response.text()) ?? []
    if (now !== undefined && now !== own) outdated.value = true
  } catch {
    // It is the network that fails, and not the page.
  }
}

/** Loads a part of the page. Rejects when it cannot be loaded; `isPageOld` says then whether that stays so. */
async function load<Part>(ask: () => Promise<Part>): Promise<Part> {
  try {
    return await ask()
  } catch (error) {
    await look()
    throw error
  }
}

export const loadTus = () => load(() => import('tus-js-client'))
export const loadHls = () => load(() => import('hls.js'))
export const loadPlot = () => load(() => import('uplot'))

/** Loads all parts while nothing else happens: a page that is open keeps working when its server is renewed or unreachable. */
export async function loadAhead(): Promise<void> {
  for (const loadPart of [loadTus, loadHls, loadPlot]) {
    // A browser may remember a failure as long as the page is open.
    if (navigator.onLine) await loadPart().catch(() => {})
  }
}
