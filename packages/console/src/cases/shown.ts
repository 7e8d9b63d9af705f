import { effect, signal, untracked } from '@preact/signals'
import { userId } from '../account.ts'

/** The keyword and the page of the list. They are kept while a case is open. They are in no address, because a keyword may be a name. */
export const keyword = signal('')
/** From 1 on. */
export const page = signal(1)

/** Searches, from the first page on. */
export function search(wanted: string): void {
  if (wanted === keyword.value) return
  keyword.value = wanted
  page.value = 1
}

// The keyword of one therapist must not be shown to the next one.
effect(() => {
  userId.value
  untracked(() => {
    keyword.value = ''
    page.value = 1
  })
})
