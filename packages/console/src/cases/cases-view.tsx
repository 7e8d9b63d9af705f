import type { Case } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { api } from '../api.ts'
import { ErasurePage } from '../held/late.ts'
import { Busy } from '../parts/busy.tsx'
import { Heading } from '../parts/heading.tsx'
import { isolated } from '../parts/isolated.ts'
import { Notice } from '../parts/notice.tsx'
import { Panel } from '../parts/panel.tsx'
import { useLoad } from '../parts/use-load.ts'
import { casePath } from '../route.ts'
import { texts } from '../texts/cases.ts'
import { CaseFacts } from './case-facts.tsx'
import { CaseForm } from './case-form.tsx'
import { DeleteCase } from './delete-case.tsx'
import { nameOf } from './name.ts'
import { SearchField } from './search-field.tsx'
import { keyword, page } from './shown.ts'

const pageLength = 10

/** Reads a page of the list and the number of pages. If the list has become shorter, it reads the last page. */
async function readPage(number: number, word: string, signal: AbortSignal) {
  const wanted = word === '' ? {} : { keyword: word }
  const pages = await api.cases.countPages(wanted, { signal })
  const shown = Math.min(number, pages)
  const skip = (shown - 1) * pageLength
  const cases = await api.cases.list({ ...wanted, skip, ...(shown < pages && { limit: pageLength }) }, { signal })
  return { pages, shown, cases }
}

/** All cases of the therapist, newest first. */
export function CasesView() {
  const { data, failure, isLoading, reload } = useLoad(
    (signal) => readPage(page.value, keyword.value, signal),
    [page.value, keyword.value],
  )
  const [dialog, setDialog] = useState<{ kind: 'create' } | { kind: 'edit' | 'delete'; chosen: Case }>()
  const [told, setTold] = useState('')
  const close = () => setDialog(undefined)
  const turn = (to: number) => {
    page.value = to
    scrollTo({ top: 0 })
  }
  return (
    <main>
      <Heading title={texts.cases}>
        <button type="button" class="primary" onClick={() => setDialog({ kind: 'create' })}>
          {texts.newCase}
        </button>
      </Heading>
      <SearchField />
      <p class="told" role="status">
        {told}
      </p>
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      {!data && isLoading && <Busy />}
      {data?.cases.length === 0 && <p class="quiet">{keyword.value === '' ? texts.none : texts.noneFound}</p>}
      <ul class="cards" aria-busy={isLoading}>
        {data?.cases.map((each) => (
          <li key={each.id}>
            <div>
              <a class="name" href={casePath(each.id)}>
                <bdi>{nameOf(each)}</bdi>
              </a>
              <CaseFacts of={each} />
            </div>
            <div class="row">
              <button
                type="button"
                class="bare"
                aria-label={texts.editCase(nameOf(each))}
                onClick={() => setDialog({ kind: 'edit', chosen: each })}
              >
                {texts.edit}
              </button>
              <button
                type="button"
                class="bare"
                aria-label={texts.removeCase(nameOf(each))}
                onClick={() => setDialog({ kind: 'delete', chosen: each })}
              >
                {texts.remove}
              </button>
            </div>
          </li>
        ))}
      </ul>
      {data && data.pages > 1 && (
        <nav class="row pages" aria-label={texts.page(data.shown, data.pages)}>
          <button type="button" disabled={data.shown <= 1} onClick={() => turn(data.shown - 1)}>
            {texts.newer}
          </button>
          <span>{texts.page(data.shown, data.pages)}</span>
          <button type="button" disabled={data.shown >= data.pages} onClick={() => turn(data.shown + 1)}>
            {texts.older}
          </button>
        </nav>
      )}
      <Panel key={told} id="erasures" title={texts.erasures} about={texts.erasuresMean}>
        <ErasurePage />
      </Panel>
      {dialog?.kind === 'create' && (
        <CaseForm
          onClose={close}
          onSaved={({ id }) => {
            close()
            location.hash = casePath(id)
          }}
        />
      )}
      {dialog?.kind === 'edit' && (
        <CaseForm
          edited={dialog.chosen}
          onClose={close}
          onSaved={() => {
            close()
            setTold(texts.saved)
            reload()
          }}
        />
      )}
      {dialog?.kind === 'delete' && (
        <DeleteCase
          doomed={dialog.chosen}
          onClose={close}
          onDeleted={() => {
            close()
            setTold(texts.deleted(isolated(nameOf(dialog.chosen))))
            reload()
            document.querySelector('h1')?.focus()
          }}
        />
      )}
    </main>
  )
}
