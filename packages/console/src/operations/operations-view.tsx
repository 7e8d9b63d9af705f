import { useState } from 'preact/hooks'
import { isOnlyOperator, isOperator } from '../account.ts'
import { bytes, duration, moment, number } from '../parts/amounts.ts'
import { Busy } from '../parts/busy.tsx'
import { Heading } from '../parts/heading.tsx'
import { Notice } from '../parts/notice.tsx'
import { casesPath } from '../route.ts'
import { texts as cases } from '../texts/cases.ts'
import { texts } from '../texts/operations.ts'
import { GivenUp } from './given-up.tsx'
import { Jobs } from './jobs.tsx'
import { Pace } from './pace.tsx'
import { Processes } from './processes.tsx'
import { type Operations, useOperations } from './use-operations.ts'

/** The view of an operator: jobs, given-up jobs, processes, the pace of encodes, and disk space. */
export function OperationsView() {
  const trail = isOnlyOperator.value ? [] : [{ path: casesPath, name: cases.cases }]
  return (
    <main>
      <Heading title={texts.operations} trail={trail} />
      {isOperator.value ? <Shown /> : <Notice>{<p>{texts.notForYou}</p>}</Notice>}
    </main>
  )
}

function Shown() {
  const [after, setAfter] = useState<string>()
  const { data, failure, reload } = useOperations(after)
  return (
    <div class="stack operations">
      {failure !== undefined && (
        <Notice failure={failure} onRetry={reload}>
          {data && <p>{texts.old(moment(data.at))}</p>}
        </Notice>
      )}
      {!data && failure === undefined && <Busy />}
      {data && (
        <>
          <Facts of={data} />
          <Pace seconds={data.encoded_seconds} />
          <GivenUp of={data} after={after} onPage={setAfter} onRetried={reload} />
          <Jobs of={data} />
          <Processes of={data.processes} />
        </>
      )}
    </div>
  )
}

/** The most important numbers. */
function Facts({ of: { queue, jobs, processes, disk, bytes: held } }: { of: Operations }) {
  const sum = (name: 'begun' | 'failed' | 'refused') => jobs.reduce((total, job) => total + job[name], 0)
  const workers = processes.filter(({ kind, alive }) => kind === 'worker' && alive).length
  const facts: [name: string, value: string, isAlarming?: boolean][] = [
    [texts.waiting, number(queue.depth)],
    [texts.oldest, queue.oldest_seconds === null ? texts.nothing : duration(queue.oldest_seconds)],
    [texts.begun, number(sum('begun'))],
    [texts.failed, number(sum('failed')), sum('failed') > 0],
    [texts.workers, number(workers), workers === 0],
    [texts.disk, disk ? texts.free(bytes(disk.free_bytes), bytes(disk.total_bytes)) : texts.unknown],
  ]
  if (held) {
    const { originals, encoded, scripts, reports } = held
    facts.push([texts.originals, bytes(originals)], [texts.encoded, bytes(encoded)])
    facts.push([texts.documents, bytes(scripts + reports)])
  }
  return (
    <dl class="facts-grid">
      {facts.map(([name, value, isAlarming]) => (
        <div key={name} class={isAlarming ? 'paper alarming' : 'paper'}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}
