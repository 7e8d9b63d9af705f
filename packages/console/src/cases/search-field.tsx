import { useEffect, useRef, useState } from 'preact/hooks'
import { Field } from '../parts/field.tsx'
import { texts } from '../texts/cases.ts'
import { keyword, search } from './shown.ts'

/** The pause after the last letter before a search starts. */
const pauseMs = 300

/** Searches the list after a pause in typing, or at once after Enter. */
export function SearchField() {
  const [typed, setTyped] = useState(keyword.value)
  const waiting = useRef<ReturnType<typeof setTimeout>>(undefined)
  useEffect(() => () => clearTimeout(waiting.current), [])
  function searchNow(wanted: string) {
    clearTimeout(waiting.current)
    search(wanted.trim())
  }
  return (
    <search>
      <form
        class="row"
        onSubmit={(event) => {
          event.preventDefault()
          searchNow(typed)
        }}
      >
        <Field label={texts.search} hint={texts.searchHint}>
          {(control) => (
            <input
              {...control}
              type="search"
              maxLength={200}
              autocomplete="off"
              value={typed}
              onInput={({ currentTarget: { value } }) => {
                setTyped(value)
                clearTimeout(waiting.current)
                waiting.current = setTimeout(searchNow, pauseMs, value)
              }}
            />
          )}
        </Field>
        {typed !== '' && (
          <button
            type="button"
            onClick={() => {
              setTyped('')
              searchNow('')
            }}
          >
            {texts.clear}
          </button>
        )}
      </form>
    </search>
  )
}
