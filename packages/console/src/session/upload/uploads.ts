import { computed, effect, signal, untracked } from '@preact/signals'
import { userId } from '../../account.ts'
import { startUpload, type Upload } from './upload.ts'

/** The uploads of this page by their sessions. They go on while other views are shown. */
const uploads = signal<ReadonlyMap<number, Upload>>(new Map())

export const uploadOf = (sessionId: number) => uploads.value.get(sessionId)

export function beginUpload(caseId: number, sessionId: number, file: File): void {
  const endpoint = new URL(`/contents/api/case/${caseId}/session/${sessionId}/video/tus`, location.origin).href
  const { value } = uploads
  uploads.value = new Map(value).set(sessionId, startUpload(endpoint, sessionId, file))
}

/** Removes an upload that has ended from the page. */
export function dismissUpload(sessionId: number): void {
  const { value } = uploads
  uploads.value = new Map([...value].filter(([id]) => id !== sessionId))
}

const isUploading = computed(() =>
  [...uploads.value.values()].some(({ state }) => ['sending', 'waiting'].includes(state.value.step)),
)

/** The browser asks whether the page may be left. */
const warn = (event: BeforeUnloadEvent) => event.preventDefault()
effect(() => {
  if (isUploading.value) addEventListener('beforeunload', warn)
  else removeEventListener('beforeunload', warn)
})

// Nobody goes on with the uploads of somebody else. Who comes back finds them where they were.
effect(() => {
  userId.value
  untracked(() => {
    for (const upload of uploads.value.values()) upload.pause()
    uploads.value = new Map()
  })
})
