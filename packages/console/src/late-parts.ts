import { type ReadonlySignal, signal } from '@preact/signals'

const fault = signal<'outdated' | 'incomplete' | undefined>(undefined)
/**
 * Why this page may never get a part that it has not loaded yet: the server has a newer page, a browser remembers that the part could not
 * be loaded, or waits for it without an end.
 */
export const pageFault: ReadonlySignal<'outdated' | 'incomplete' | undefined> = fault

/** Browsers set no limit to the time in which a part comes. A part that comes later than this is used all the same. */
const lateMs = 20_000

/** The script of this page, whose name tells one version of the page from another. */
const own = document.querySelector('script[type=module]')?.getAttribute('src')

/** Asks for the page that the server has now, and returns the name of its script; undefined where the server does not answer. */
async function look(): Promise<string | undefined> {
  try {
    const response = await fetch(location.pathname, { cache: 'no-store', signal: AbortSignal.timeout(lateMs) })
    return /main-\w+\.js/.exec(await response.text())?.[0]
  } catch {
    return undefined
  }
}

/**
 * Makes a function that loads a part of the page. It rejects when the part cannot be loaded; `pageFault` says then whether that stays so,
 * and also that a part does not come. With `isAhead`, nobody waits for the part yet.
 */
export function part<Part>(ask: () => Promise<Part>): (isAhead?: boolean) => Promise<Part> {
  /** Attempts that have failed although the server answers. */
  let failures = 0
  return async (isAhead = false) => {
    let isLate = false
    const timer = setTimeout(() => {
      if (isAhead) return
      isLate = true
      fault.value ??= 'incomplete'
    }, lateMs)
    try {
      const loaded = await ask()
      if ((isLate || failures > 0) && fault.peek() === 'incomplete') fault.value = undefined
      failures = 0
      return loaded
    } catch (error) {
      const now = await look()
      if (now !== undefined && now !== own) fault.value = 'outdated'
      else if (now !== undefined && ++failures > 1) fault.value ??= 'incomplete'
      throw error
    } finally {
      clearTimeout(timer)
    }
  }
}

export const loadTus = part(() => import('tus-js-client'))
export const loadHls = part(() => import('hls.js'))
export const loadPlot = part(() => import('uplot'))

/**
 * Loads these parts one after the other while nothing else happens: a page that is open keeps working when its server is renewed or
 * unreachable.
 */
export async function loadAhead(parts: ((isAhead: boolean) => Promise<unknown>)[]): Promise<void> {
  for (const loadPart of [...parts, loadTus, loadHls, loadPlot]) {
    // A browser may remember a failure as long as the page is open.
    if (navigator.onLine) await loadPart(true).catch(() => {})
  }
}
