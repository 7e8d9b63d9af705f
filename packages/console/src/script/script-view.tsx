import { useEffect, useMemo, useRef } from 'preact/hooks'
import { newsOf } from '../live.ts'
import { Busy } from '../parts/busy.tsx'
import { Notice } from '../parts/notice.tsx'
import type { Playback } from '../session/playback.ts'
import { texts } from '../texts/script.ts'
import { Conflicts } from './conflicts.tsx'
import { Find } from './find.tsx'
import { Panels } from './panels.tsx'
import { createReading, type Reading } from './reading.ts'
import { RecordList } from './record-list.tsx'
import { type Opened, useScript } from './use-script.ts'

/** The script beside the player, where it is read, corrected, compared, imported and exported. */
export function ScriptView({ caseId, sessionId, playback }: { caseId: number; sessionId: number; playback: Playback }) {
  const opened = useScript(caseId, sessionId)
  const reading = useMemo(() => createReading(opened, playback, sessionId), [opened, playback, sessionId])
  const { script, drafts, sync } = opened
  const version = script.version.value

  const section = useRef<HTMLElement>(null)
  useEffect(() => {
    const { current } = section
    current?.addEventListener('keydown', reading.onUndoKey)
    return () => current?.removeEventListener('keydown', reading.onUndoKey)
  }, [reading])

  return (
    <section ref={section} class="script" aria-labelledby="script-title">
      <h2 id="script-title">{texts.title}</h2>
      <Standing opened={opened} />
      {version === undefined && sync.failure.value === undefined && <Busy />}
      {version !== undefined && (
        <div class="script-body">
          {drafts.rows.value.length === 0 ? (
            <NoScript opened={opened} sessionId={sessionId} />
          ) : (
            <Tools reading={reading} opened={opened} />
          )}
          <Conflicts script={script} />
          {drafts.rows.value.length > 0 && <RecordList reading={reading} />}
          <Panels opened={opened} playback={playback} caseId={caseId} sessionId={sessionId} />
        </div>
      )}
    </section>
  )
}

/** Says whether all changes are saved, and if not, why. */
function Standing({ opened: { script, drafts, sync } }: { opened: Opened }) {
  const version = script.version.value
  const waiting = script.pending.value.length
  const failure = sync.failure.value
  return (
    <>
      <p class="standing quiet" role="status">
        {version !== undefined && version > 0 && `${texts.version(version)} · `}
        {version !== undefined && (waiting > 0 ? texts.saving(waiting) : version > 0 && texts.saved)}
      </p>
      {failure !== undefined && (
        <Notice failure={failure} onRetry={sync.retry}>
          {waiting > 0 && (
            <p>
              {texts.unsaved(waiting)} {texts.keptHere}
            </p>
          )}
        </Notice>
      )}
      {drafts.discarded.value && (
        <Notice>
          <p>{texts.discarded}</p>
          <button type="button" onClick={drafts.bringBack}>
            {texts.bringBack}
          </button>
        </Notice>
      )}
    </>
  )
}

function Tools({ reading, opened: { script } }: { reading: Reading; opened: Opened }) {
  const { follows, overtaken } = reading
  return (
    <>
      <div class="tools">
        <label class="switch">
          <input
            type="checkbox"
            role="switch"
            checked={follows.value}
            aria-checked={follows.value}
            onChange={({ currentTarget }) => {
              follows.value = currentTarget.checked
            }}
          />
          {texts.follow}
        </label>
        <button type="button" onClick={reading.undo} disabled={!script.canUndo.value} aria-keyshortcuts="Control+Z">
          {texts.undo}
        </button>
        <button
          type="button"
          onClick={reading.redo}
          disabled={!script.canRedo.value}
          aria-keyshortcuts="Control+Shift+Z"
        >
          {texts.redo}
        </button>
        <Find reading={reading} />
        <details class="keys">
          <summary>{texts.keys}</summary>
          <dl>
            {texts.keyList.map(([keys, meaning]) => (
              <div key={keys}>
                <dt>{keys}</dt>
                <dd>{meaning}</dd>
              </div>
            ))}
          </dl>
        </details>
      </div>
      {overtaken.value && (
        <Notice tone="caution">
          <p>{texts.undoOvertaken}</p>
        </Notice>
      )}
    </>
  )
}

/** Says what to do while there is no script, or an empty one. */
function NoScript({ opened: { script, drafts }, sessionId }: { opened: Opened; sessionId: number }) {
  const state = newsOf(sessionId).value?.session?.script_state_id
  return (
    <div class="no-script paper">
      <p>{script.version.value === 0 ? texts.noScript : texts.empty}</p>
      {state === 1 && <p>{texts.transcriberReady}</p>}
      {state === 2 && <p>{texts.transcriberStart}</p>}
      <p>{texts.noScriptTodo}</p>
      <button type="button" class="primary" onClick={() => drafts.add(0)}>
        {texts.addFirst}
      </button>
    </div>
  )
}
