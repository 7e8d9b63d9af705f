import type { Case } from '@playtherapy/client'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { DeleteDialog } from '../parts/delete-dialog.tsx'
import { isolated } from '../parts/isolated.ts'
import { useLoad } from '../parts/use-load.ts'
import { texts } from '../texts/cases.ts'
import { nameOf } from './name.ts'

/** A dialog that says what is deleted with a case, and deletes it. */
export function DeleteCase({
  doomed,
  onClose,
  onDeleted,
}: {
  doomed: Case
  onClose: () => void
  onDeleted: () => void
}) {
  const { data: sessions } = useLoad((signal) => api.sessions.list({ case_id: doomed.id }, { signal }), [doomed.id])
  const count = (key: 'origin_video_url' | 'source_script_url' | 'analyze_url') =>
    sessions?.filter((session) => session[key] !== null).length ?? 0
  return (
    <DeleteDialog
      title={texts.removeCase(isolated(nameOf(doomed)))}
      onClose={onClose}
      remove={async () => {
        await api.cases.delete({ case_id: doomed.id })
        onDeleted()
      }}
    >
      {sessions ? (
        <p>
          {texts.deletes(sessions.length, count('origin_video_url'), count('source_script_url'), count('analyze_url'))}
        </p>
      ) : (
        <Busy />
      )}
    </DeleteDialog>
  )
}
