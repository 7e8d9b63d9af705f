import { signal } from '@preact/signals'

/** The token of who uses the page, kept in memory alone; null when nobody is signed in. */
export const token = signal<string | null>(null)

/** Takes the token out of the address, `#token=…`, and removes it there, so that it is in no history. */
export function takeToken(): void {
  const given = /^#token=([\w-]+\.[\w-]+\.[\w-]+)$/.exec(location.hash)?.[1]
  if (!given) return
  token.value = given
  history.replaceState(null, '', `${location.pathname}${location.search}`)
}
