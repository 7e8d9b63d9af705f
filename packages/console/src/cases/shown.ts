import { effect, signal, untracked } from '@preact/signals'
import { userId } from '../account.ts'

/** What of the list is shown, kept while somebody looks at a case and comes back. It is in no address: it may be a name. */
export const keyword = signal('')
/** From 1 on. */
export const page = signal(1)

/** Searches, from the first page on. */
export function search(wanted: string): void {
  if (wanted === keyword.value) return
  keyword.value = wanted
  page.value = 1
}

// The next therapist begins anew.
effect(() => {
  userId.value
  untracked(() => {
    keyword.value = ''
    page.value = 1
  })
})
