import { useSignal } from '@preact/signals'
import { api } from '../api.ts'
import { Dialog } from '../parts/dialog.tsx'
import { Notice } from '../parts/notice.tsx'
import { useSave } from '../parts/use-save.ts'
import { texts } from '../texts/session.ts'

/** A button that deletes the recording, after it has said what that means. */
export function DeleteRecording({ caseId, sessionId }: { caseId: number; sessionId: number }) {
  const isAsked = useSignal(false)
  const close = () => {
    isAsked.value = false
  }
  const { save, isSaving, failure } = useSave(async () => {
    await api.videos.delete({ case_id: caseId, session_id: sessionId })
    close()
  })
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
          {failure !== undefined && <Notice failure={failure} />}
          <div class="actions">
            <button type="button" onClick={close}>
              {texts.cancel}
            </button>
            <button type="button" class="danger primary" disabled={isSaving} onClick={save}>
              {texts.deleteIt}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
