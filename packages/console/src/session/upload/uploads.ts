import { effect, signal, untracked } from '@preact/signals'
import { userId } from '../../account.ts'
import { unfinished } from '../../unfinished.ts'
import { startUpload, type Upload } from './upload.ts'

/** The uploads of this page by their sessions. They go on while other views are shown. */
const uploads = signal<ReadonlyMap<number, Upload>>(new Map())

export const uploadOf = (sessionId: number) => uploads.value.get(sessionId)

export function beginUpload(caseId: number, sessionId: number, file: File): void {
  const { value } = uploads
  uploads.value = new Map(value).set(sessionId, startUpload({ caseId, sessionId }, file))
}

/** Removes an upload that has ended from the page. */
export function dismissUpload(sessionId: number): void {
  const { value } = uploads
  uploads.value = new Map([...value].filter(([id]) => id !== sessionId))
}

/** The browser asks whether the page may be left. */
const warn = (event: BeforeUnloadEvent) => event.preventDefault()
effect(() => {
  const isUploading = [...uploads.value.values()].some(({ state }) => ['sending', 'waiting'].includes(state.value.step))
  unfinished.isUploading.value = isUploading
  if (isUploading) addEventListener('beforeunload', warn)
  else removeEventListener('beforeunload', warn)
})

// Nobody goes on with the uploads of somebody else. A therapist who comes back can continue them with the same files.
effect(() => {
  userId.value
  untracked(() => {
    for (const upload of uploads.value.values()) upload.interrupt()
    uploads.value = new Map()
  })
})
