import { explain } from '../parts/explain.ts'
import { texts } from '../texts/script.ts'
import type { Row } from './change.ts'
import type { Conflict, OpenScript } from './open-script.ts'
import { type ScriptRecord, shown } from './records.ts'

/**
 * Lists the changes that could not be saved, each beside the version of the other person, for a decision. Other changes are saved
 * meanwhile.
 */
export function Conflicts({ script }: { script: OpenScript }) {
  const conflicts = script.conflicts.value
  if (conflicts.length === 0) return null
  return (
    <section class="conflicts" aria-labelledby="conflicts-title" role="alert">
      <h3 id="conflicts-title">{texts.conflicts(conflicts.length)}</h3>
      {conflicts.map((conflict) => (
        <Decision key={conflict.change.after[0]?.key ?? conflict.change.at} script={script} conflict={conflict} />
      ))}
    </section>
  )
}

function Decision({ script, conflict }: { script: OpenScript; conflict: Conflict }) {
  const { change, failure } = conflict
  const keys = new Set([...change.before, ...change.after].map(({ key }) => key))
  const theirs = script.rows.value.filter(({ key }) => keys.has(key))
  const isRefused = failure !== undefined
  const title = isRefused ? texts.refused : theirs.length === 0 ? texts.conflictRemoved : texts.conflict
  return (
    <article class="decision">
      <h4>{title}</h4>
      {isRefused && <p>{explain(failure)}</p>}
      <div class="sides">
        {!isRefused && <Side name={texts.theirs} rows={theirs} />}
        <Side name={texts.mine} rows={change.after} />
      </div>
      <div class="row">
        <button type="button" onClick={() => script.settle(conflict, 'theirs')}>
          {isRefused ? texts.giveUp : texts.takeTheirs}
        </button>
        <button type="button" onClick={() => script.settle(conflict, 'mine')}>
          {isRefused ? texts.tryAgain : texts.takeMine}
        </button>
      </div>
    </article>
  )
}

function Side({ name, rows }: { name: string; rows: readonly Row[] }) {
  return (
    <div class="side">
      <h5>{name}</h5>
      {rows.length === 0 && <p class="quiet">{texts.nothing}</p>}
      {rows.map(({ key, record }) => (
        <RecordText key={key} record={record} />
      ))}
    </div>
  )
}

function RecordText({ record }: { record: ScriptRecord }) {
  const times = [shown(record, 'start_time'), shown(record, 'end_time')].filter((time) => time !== '')
  return (
    <div class="record-text">
      <p class="quiet">
        {times.join(' – ')} <span dir="auto">{record.speaker}</span>
      </p>
      <p dir="auto">{record.text}</p>
    </div>
  )
}
