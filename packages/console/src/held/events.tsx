import type { AuditEvent } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { claims } from '../account.ts'
import { api } from '../api.ts'
import { moment } from '../parts/amounts.ts'
import { Busy } from '../parts/busy.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import { Wide } from '../parts/wide.tsx'
import { texts } from '../texts/trail.ts'

/** Codes of responses to whom a case belongs, where it has no recording, script, report or export. */
const nothingThere = [5, 6, 7, 404]

/** Who saw and changed what of a case, a page at a time, newest first. */
export function Events({ caseId }: { caseId: number }) {
  const [before, setBefore] = useState<number>()
  const { data, failure, reload } = useLoad(
    (signal) => api.audit.list({ case_id: caseId, ...(before !== undefined && { before }) }, { signal }),
    [caseId, before],
  )
  const [first, last] = [data?.[0], data?.at(-1)]
  return (
    <>
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      <p class="quiet" role="status">
        {data && (first && last ? texts.range(moment(first.at), moment(last.at)) : texts.noOlder)}
      </p>
      {!data && failure === undefined && <Busy />}
      {data && last && (
        <Wide
          label={texts.thing('audit', null, null)}
          columns={[texts.when, texts.who, texts.did, texts.what, texts.address]}
        >
          {data.map((event) => (
            <Row key={event.id} event={event} />
          ))}
        </Wide>
      )}
      <div class="row">
        {/* A button that is disabled would lose the focus of who has just pressed it. */}
        <button type="button" aria-disabled={before === undefined} onClick={() => setBefore(undefined)}>
          {texts.newest}
        </button>
        <button type="button" aria-disabled={!last} onClick={() => last && setBefore(last.id)}>
          {texts.older}
        </button>
      </div>
    </>
  )
}

function Row({ event }: { event: AuditEvent }) {
  const { at, actor, user_id: userId, action, kind, session_id: sessionId, version, result, address } = event
  const foundNothing = nothingThere.includes(result)
  const who = userId !== null && userId === claims.value?.user_id ? texts.you : texts.actor(actor, userId)
  return (
    <tr class={result === 0 || foundNothing ? '' : 'error'}>
      <td>
        <time dateTime={at}>{moment(at)}</time>
      </td>
      <td>{who}</td>
      <td>{foundNothing ? texts.foundNothing : texts.action(action)}</td>
      <td>{texts.thing(kind, sessionId, version)}</td>
      <td>{address}</td>
    </tr>
  )
}
