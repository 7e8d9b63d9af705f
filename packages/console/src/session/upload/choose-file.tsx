import { useSignal } from '@preact/signals'
import { useEffect, useId, useRef } from 'preact/hooks'
import { bytes, moment } from '../../parts/amounts.ts'
import { Dialog } from '../../parts/dialog.tsx'
import { isolated } from '../../parts/isolated.ts'
import { Notice } from '../../parts/notice.tsx'
import { texts } from '../../texts/session.ts'
import { discardUpload } from './discard.ts'
import { knownUpload, markOf } from './known-upload.ts'
import { takeTurn } from './turn.ts'
import { beginUpload } from './uploads.ts'
import type { Refusal } from './verdict.ts'

/** Kinds of files that are offered first; what is a video is for the server to say. */
const accept = 'video/*,.mp4,.mov,.m4v,.3gp,.mkv,.webm,.avi,.ts,.mts,.m2ts,.mpg,.mpeg,.vob'

/** Takes files that are dropped on `zone`. Returns the zone, and whether something is above it. */
function useDrop(take: (files: FileList | undefined) => void) {
  const zone = useRef<HTMLDivElement>(null)
  const isOver = useSignal(false)
  const latest = useRef(take)
  latest.current = take
  useEffect(() => {
    const { current: element } = zone
    const over = new AbortController()
    for (const kind of ['dragover', 'dragleave', 'drop'] as const) {
      const listen = (event: DragEvent) => {
        event.preventDefault()
        isOver.value = kind === 'dragover'
        if (kind === 'drop') latest.current(event.dataTransfer?.files)
      }
      element?.addEventListener(kind, listen, { signal: over.signal })
    }
    return () => over.abort()
  }, [isOver])
  return { zone, isOver }
}

/** Takes the file of a recording and begins to upload it. `isReplacing` says that there is a recording already. */
export function ChooseFile({
  caseId,
  sessionId,
  isReplacing,
}: {
  caseId: number
  sessionId: number
  isReplacing: boolean
}) {
  const id = useId()
  const refusal = useSignal<Refusal | undefined>(undefined)
  const asked = useSignal<File | undefined>(undefined)
  const known = useSignal(knownUpload(sessionId))

  function begin(file: File) {
    asked.value = undefined
    beginUpload(caseId, sessionId, file)
  }
  function take(files: FileList | null | undefined) {
    const [file, ...more] = files ?? []
    if (!file) return
    refusal.value = more.length > 0 ? 'several' : file.size === 0 ? 'empty' : undefined
    if (refusal.value) return
    // Another tab may have begun or ended an upload meanwhile.
    known.value = knownUpload(sessionId)
    const isOther = known.value !== undefined && known.value.mark !== markOf(file)
    if (isOther || (isReplacing && !known.value)) asked.value = file
    else begin(file)
  }

  /** Discards the known upload, unless another tab goes on with it. */
  async function discard() {
    const over = new AbortController()
    const isFree = await takeTurn(sessionId, over.signal)
    const found = knownUpload(sessionId)
    if (isFree && found) void discardUpload({ caseId, sessionId }, found.url)
    over.abort()
    known.value = isFree ? undefined : found
    refusal.value = isFree ? undefined : 'otherTab'
  }

  const { zone, isOver } = useDrop(take)

  return (
    <>
      {known.value && (
        <Notice>
          <p>{texts.known(bytes(known.value.size), moment(known.value.begunAt))}</p>
          <button type="button" onClick={discard}>
            {texts.discard}
          </button>
        </Notice>
      )}
      {refusal.value && (
        <Notice tone="alert">
          <p>{texts.refusal[refusal.value]}</p>
        </Notice>
      )}
      <div class={isOver.value ? 'drop over' : 'drop'} ref={zone}>
        <p>{texts.drop}</p>
        <input
          id={id}
          class="unseen"
          type="file"
          accept={accept}
          onChange={({ currentTarget }) => {
            take(currentTarget.files)
            // The same file may be chosen again.
            currentTarget.value = ''
          }}
        />
        <label for={id} class="button primary">
          {texts.choose}
        </label>
        <p class="hint">{texts.accepted}</p>
      </div>
      {asked.value && (
        <Dialog title={isReplacing ? texts.replaceTitle : texts.otherFile} onClose={() => (asked.value = undefined)}>
          <p>{isReplacing ? texts.replaceMeans : texts.otherFileMeans}</p>
          <p class="quiet">{texts.file(isolated(asked.value.name), bytes(asked.value.size))}</p>
          <div class="actions">
            <button type="button" onClick={() => (asked.value = undefined)}>
              {texts.cancel}
            </button>
            <button type="button" class="primary" onClick={() => asked.value && begin(asked.value)}>
              {isReplacing ? texts.replaceIt : texts.uploadIt}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
