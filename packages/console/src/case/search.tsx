import type { SearchHit } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { api } from '../api.ts'
import { Busy } from '../parts/busy.tsx'
import { Field } from '../parts/field.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import { sessionPath } from '../route.ts'
import { secondsOf } from '../script/records.ts'
import { texts } from '../texts/search.ts'
import { marked } from './marked.ts'

/** Hits on one page. */
const hitsPerPage = 50

/** Searches the scripts of all sessions of a case. */
export function Search({ caseId }: { caseId: number }) {
  const [typed, setTyped] = useState('')
  const [wanted, setWanted] = useState<{ keyword: string; page: number }>()
  return (
    <section class="stack" aria-labelledby="search">
      <h2 id="search">{texts.search}</h2>
      <search>
        <form
          class="row find"
          onSubmit={(event) => {
            event.preventDefault()
            setWanted(typed.trim() ? { keyword: typed, page: 0 } : undefined)
          }}
        >
          <Field label={texts.keyword} hint={texts.hint}>
            {(control) => (
              <input
                {...control}
                type="search"
                maxLength={100}
                value={typed}
                onInput={({ currentTarget: { value } }) => setTyped(value)}
              />
            )}
          </Field>
          <button type="submit">{texts.find}</button>
        </form>
      </search>
      {wanted && (
        <Hits
          key={wanted.keyword}
          caseId={caseId}
          {...wanted}
          onPage={(page) => setWanted({ keyword: wanted.keyword, page })}
        />
      )}
    </section>
  )
}

function Hits({
  caseId,
  keyword,
  page,
  onPage,
}: {
  caseId: number
  keyword: string
  page: number
  onPage: (page: number) => void
}) {
  const { data, failure, isLoading, reload } = useLoad(
    (signal) =>
      api.scripts.search({ case_id: caseId, keyword, skip: page * hitsPerPage, limit: hitsPerPage }, { signal }),
    [caseId, keyword, page],
  )
  if (failure !== undefined) return <Notice failure={failure} onRetry={reload} />
  if (!data) return <Busy />
  const { hits, more, unread } = data
  return (
    <>
      <p role="status" class="quiet">
        {isLoading ? texts.searching : texts.found(page * hitsPerPage, hits.length, more)}
      </p>
      {unread.length > 0 && (
        <Notice tone="caution">
          <p>{texts.unread(unread.length)}</p>
          <span class="row">
            {unread.slice(0, 20).map((id) => (
              <a key={id} href={sessionPath(caseId, id)}>
                {texts.session(id)}
              </a>
            ))}
          </span>
        </Notice>
      )}
      <ol class="cards hits" start={page * hitsPerPage + 1}>
        {hits.map((hit) => (
          <li key={`${hit.session_id}-${hit.record}`}>
            <HitPart caseId={caseId} hit={hit} />
          </li>
        ))}
      </ol>
      {(page > 0 || more) && (
        <div class="row">
          <button type="button" disabled={page === 0 || isLoading} onClick={() => onPage(page - 1)}>
            {texts.previous}
          </button>
          <button type="button" disabled={!more || isLoading} onClick={() => onPage(page + 1)}>
            {texts.next}
          </button>
        </div>
      )}
    </>
  )
}

/** A record with the keyword. Its link leads to its second, or to its session if it has no time. */
function HitPart({ caseId, hit }: { caseId: number; hit: SearchHit }) {
  const { session_id: sessionId, session_name: name, speaker, start_time: time, snippet, matches } = hit
  return (
    <div>
      <a class="name" href={sessionPath(caseId, sessionId, secondsOf(time))}>
        <bdi>{name}</bdi>
        {secondsOf(time) !== undefined && `, ${time}`}
      </a>
      <p class="words">
        {speaker && (
          <>
            <bdi class="quiet">{speaker}</bdi>{' '}
          </>
        )}
        {marked(snippet, matches).map(({ at, text, isMatch }) =>
          isMatch ? <mark key={at}>{text}</mark> : <span key={at}>{text}</span>,
        )}
      </p>
    </div>
  )
}
