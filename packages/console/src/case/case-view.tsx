import type { Session } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { api } from '../api.ts'
import { CaseFacts } from '../cases/case-facts.tsx'
import { CaseForm } from '../cases/case-form.tsx'
import { DeleteCase } from '../cases/delete-case.tsx'
import { dayOf, nameOf } from '../cases/name.ts'
import { Events, ExportState } from '../held/late.ts'
import { Busy } from '../parts/busy.tsx'
import { DeleteDialog } from '../parts/delete-dialog.tsx'
import { Heading } from '../parts/heading.tsx'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { Panel } from '../parts/panel.tsx'
import { useLoad } from '../parts/use-load.ts'
import { casesPath, sessionPath } from '../route.ts'
import { texts } from '../texts/case.ts'
import { texts as shared } from '../texts/cases.ts'
import { Levels } from './levels.tsx'
import { Search } from './search.tsx'
import { SessionForm } from './session-form.tsx'
import { SessionStates } from './session-states.tsx'
import { useSessions } from './use-sessions.ts'

/** A case: the facts about the child, the sessions, the levels, the search in scripts, its export, and who saw what of it. */
export function CaseView({ caseId }: { caseId: number }) {
  const { data: shown, failure, reload } = useLoad((signal) => api.cases.get({ case_id: caseId }, { signal }), [caseId])
  const [dialog, setDialog] = useState<'edit' | 'delete'>()
  const close = () => setDialog(undefined)
  return (
    <main>
      <Heading title={shown ? nameOf(shown) : texts.case} trail={[{ path: casesPath, name: shared.cases }]}>
        {shown && (
          <>
            <button type="button" onClick={() => setDialog('edit')}>
              {shared.edit}
            </button>
            <button type="button" class="danger" onClick={() => setDialog('delete')}>
              {shared.remove}
            </button>
          </>
        )}
      </Heading>
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      {shown && (
        <div class="stack">
          <CaseFacts of={shown} />
          <Sessions caseId={caseId} />
          <Levels caseId={caseId} />
          <Search caseId={caseId} />
          <Panel id="export" title={texts.export} about={texts.exportAbout}>
            <ExportState caseId={caseId} />
          </Panel>
          <Panel id="trail" title={texts.trail} about={texts.trailAbout}>
            <Events caseId={caseId} />
          </Panel>
        </div>
      )}
      {shown && dialog === 'edit' && (
        <CaseForm
          edited={shown}
          onClose={close}
          onSaved={() => {
            close()
            reload()
          }}
        />
      )}
      {shown && dialog === 'delete' && (
        <DeleteCase
          doomed={shown}
          onClose={close}
          onDeleted={() => {
            location.hash = casesPath
          }}
        />
      )}
    </main>
  )
}

function Sessions({ caseId }: { caseId: number }) {
  const { sessions, failure, reload, show, hide } = useSessions(caseId)
  const [dialog, setDialog] = useState<{ kind: 'create' } | { kind: 'rename' | 'delete'; chosen: Session }>()
  const close = () => setDialog(undefined)
  return (
    <section aria-labelledby="sessions">
      <div class="row">
        <h2 id="sessions" tabIndex={-1}>
          {texts.sessions}
        </h2>
        <button type="button" class="primary" onClick={() => setDialog({ kind: 'create' })}>
          {texts.newSession}
        </button>
      </div>
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      {!sessions && failure === undefined && <Busy />}
      {sessions?.length === 0 && <p class="quiet">{texts.none}</p>}
      <ul class="cards">
        {sessions?.map(({ session, video }) => (
          <li key={session.id}>
            <div>
              <a class="name" href={sessionPath(caseId, session.id)}>
                <bdi>{session.name}</bdi>
              </a>
              <p class="facts quiet">
                {[dayOf(session.created_date), session.video_length].filter(Boolean).join(' · ')}
              </p>
              <SessionStates session={session} video={video} />
            </div>
            <div class="row">
              <button
                type="button"
                class="bare"
                aria-label={texts.renameSession(session.name)}
                onClick={() => setDialog({ kind: 'rename', chosen: session })}
              >
                {texts.rename}
              </button>
              <button
                type="button"
                class="bare"
                aria-label={texts.removeSession(session.name)}
                onClick={() => setDialog({ kind: 'delete', chosen: session })}
              >
                {texts.remove}
              </button>
            </div>
          </li>
        ))}
      </ul>
      {dialog?.kind === 'create' && (
        <SessionForm
          caseId={caseId}
          onClose={close}
          onSaved={({ id }) => {
            location.hash = sessionPath(caseId, id)
          }}
        />
      )}
      {dialog?.kind === 'rename' && (
        <SessionForm
          caseId={caseId}
          renamed={dialog.chosen}
          onClose={close}
          onSaved={(saved) => {
            close()
            show(saved)
          }}
        />
      )}
      {dialog?.kind === 'delete' && (
        <DeleteDialog
          title={texts.removeSession(isolated(dialog.chosen.name))}
          onClose={close}
          remove={async () => {
            await api.sessions.delete({ case_id: caseId, session_id: dialog.chosen.id })
            close()
            hide(dialog.chosen.id)
            document.getElementById('sessions')?.focus()
          }}
        >
          <p>{texts.deletes}</p>
        </DeleteDialog>
      )}
    </section>
  )
}
