import { useSignal } from '@preact/signals'
import { useMemo } from 'preact/hooks'
import { texts } from '../texts/script.ts'
import type { Reading } from './reading.ts'
import { isComposing } from './record-editor.tsx'

/** Finds words in the whole script. The search of the browser knows only the records that are drawn. */
export function Find({ reading }: { reading: Reading }) {
  const at = useSignal(0)
  const { wanted } = reading
  const rows = reading.drafts.rows.value
  const found = useMemo(
    () =>
      wanted.value === ''
        ? []
        : rows.filter(({ record }) => `${record.speaker}\n${record.text}`.toLowerCase().includes(wanted.value)),
    [rows, wanted.value],
  )

  function go(to: number) {
    const row = found[(to + found.length) % found.length]
    if (!row) return
    at.value = (to + found.length) % found.length
    reading.stopFollowing()
    reading.active.value = row.key
    reading.show(row.key, 'center')
  }
  return (
    <search class="find">
      <input
        type="search"
        placeholder={texts.find}
        aria-label={texts.find}
        onInput={({ currentTarget }) => {
          wanted.value = currentTarget.value.trim().toLowerCase()
          at.value = -1
        }}
        onKeyDown={(event) => {
          event.stopPropagation()
          if (event.key !== 'Enter' || isComposing(event)) return
          event.preventDefault()
          go(at.value + (event.shiftKey ? -1 : 1))
        }}
      />
      {wanted.value !== '' && (
        <>
          <button type="button" onClick={() => go(at.value + 1)} disabled={found.length === 0}>
            {texts.findNext}
          </button>
          <span class="quiet" role="status">
            {texts.found(Math.max(1, at.value + 1), found.length)}
          </span>
        </>
      )}
    </search>
  )
}
