import { useSignal } from '@preact/signals'
import { signOut } from './account.ts'
import { Dialog } from './parts/dialog.tsx'
import { texts } from './texts/shell.ts'
import { unfinished } from './unfinished.ts'

const { countChanges, isUploading } = unfinished

/** Signs out, and asks before where something would be lost by that. */
export function SignOut() {
  const isAsked = useSignal(false)
  const stay = () => {
    isAsked.value = false
  }
  const unsaved = countChanges.value()
  return (
    <>
      <button
        type="button"
        class="bare"
        onClick={() => {
          isAsked.value = countChanges.value() > 0 || isUploading.value
          if (!isAsked.value) signOut()
        }}
      >
        {texts.signOut}
      </button>
      {isAsked.value && (
        <Dialog title={texts.signOutTitle} onClose={stay}>
          {unsaved > 0 && <p>{texts.losesChanges(unsaved)}</p>}
          {isUploading.value && <p>{texts.stopsUpload}</p>}
          <div class="actions">
            <button type="button" class="primary" onClick={stay}>
              {texts.stay}
            </button>
            <button type="button" class="danger" onClick={signOut}>
              {texts.signOutAnyway}
            </button>
          </div>
        </Dialog>
      )}
    </>
  )
}
