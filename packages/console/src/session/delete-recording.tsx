import { useSignal } from '@preact/signals'
import { api } from '../api.ts'
import { DeleteDialog } from '../parts/delete-dialog.tsx'
import { texts } from '../texts/session.ts'

/** A button that deletes the recording, after it has said what that means. */
export function DeleteRecording({ caseId, sessionId }: { caseId: number; sessionId: number }) {
  const isAsked = useSignal(false)
  const close = () => {
    isAsked.value = false
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
        <DeleteDialog
          title={texts.deleteTitle}
          onClose={close}
          remove={async () => {
            await api.videos.delete({ case_id: caseId, session_id: sessionId })
            close()
          }}
        >
          <p>{texts.deleteMeans}</p>
        </DeleteDialog>
      )}
    </>
  )
}
