import { useSignal } from '@preact/signals'
import { api } from '../api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Notice } from '../parts/notice.tsx'
import { texts } from '../texts/session.ts'

/** A button that deletes the recording, after it has said what that means. */
export function DeleteRecording({ caseId, sessionId }: { caseId: number; sessionId: number }) {
  const isAsked = useSignal(false)
  const isBusy = useSignal(false)
  const failure = useSignal<unknown>(undefined)
  const close = () => {
    isAsked.value = false
  }
  async function remove() {
    isBusy.value = true
    failure.value = undefined
    try {
      await api.videos.delete({ case_id: caseId, session_id: sessionId })
      close()
    } catch (error) {
      failure.value = error
    } finally {
      isBusy.value = false
    }
  }
  return (
    <>
      <button
        type="button"
        class="danger"
        onClick={() => {
          isAsked.value = true
        }}
      >
        {texts.deleteRecording}
      </button>
      {isAsked.value && (
        <Dialog title={texts.deleteTitle} onClose={close}>
          <p>{texts.deleteMeans}</p>
          {failure.value !== undefined && <Notice failure={failure.value} />}
          <div class="actions">
            <button type="button" onClick={close}>
              {texts.cancel}
            </button>
            <button type="button" class="danger primary" disabled={isBusy.value} onClick={remove}>
              {texts.deleteIt}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
