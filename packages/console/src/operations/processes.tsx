import { bytes, moment } from '../parts/amounts.ts'
import { Wide } from '../parts/wide.tsx'
import { texts } from '../texts/operations.ts'
import type { Operations } from './use-operations.ts'

/** The processes that are running or have ended lately, each with its release. */
export function Processes({ of: processes }: { of: Operations['processes'] }) {
  const releases = new Set(processes.filter(({ alive }) => alive).map(({ version, commit }) => `${version} ${commit}`))
  return (
    <div class="stack">
      <h2>{texts.processes}</h2>
      {processes.length === 0 && <p class="quiet">{texts.noProcesses}</p>}
      {releases.size > 1 && <p>{texts.severalReleases}</p>}
      {processes.length > 0 && (
        <Wide label={texts.processes} columns={[texts.process, texts.state, texts.release, texts.since, texts.scratch]}>
          {processes.map(({ id, kind, version, commit, alive, started_at: since, seen_at: seen, scratch }) => (
            <tr key={id}>
              <th scope="row">{kind}</th>
              <td>
                <span class={alive ? 'state done' : 'state error'}>
                  {alive ? texts.runs : texts.silentSince(moment(seen))}
                </span>
              </td>
              <td>
                {version} <code class="quiet">{commit}</code>
              </td>
              <td>{moment(since)}</td>
              <td>{scratch ? texts.free(bytes(scratch.free_bytes), bytes(scratch.total_bytes)) : '—'}</td>
            </tr>
          ))}
        </Wide>
      )}
    </div>
  )
}
