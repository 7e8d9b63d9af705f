import { Component } from 'preact'
import { texts } from '../texts/script.ts'
import { type ScriptRecord, secondsOf, shown } from './records.ts'
import type { Doubt } from './timing.ts'

/** A row shows at most so many UTF-16 units of a text, and of a speaker or a time: a megabyte would be as high as thousands of rows. */
const [mostCharacters, mostOfName] = [2_000, 100]

interface RowProps {
  record: ScriptRecord
  doubts: Set<Doubt> | undefined
  isActive: boolean
  /** The words that are searched for, in lower case; empty without a search. */
  wanted: string
}

/** The cells of a record. They are drawn again only when the record changes, and not with each step of scrolling. */
export class RecordCells extends Component<RowProps> {
  override shouldComponentUpdate(next: RowProps): boolean {
    const { record, doubts, isActive, wanted } = this.props
    return (
      record !== next.record ||
      isActive !== next.isActive ||
      wanted !== next.wanted ||
      [...(doubts ?? [])].join() !== [...(next.doubts ?? [])].join()
    )
  }

  override render({ record, doubts, isActive, wanted }: RowProps) {
    const start = shown(record, 'start_time')
    const end = shown(record, 'end_time')
    const second = secondsOf(record.start_time)
    return (
      <>
        <td class="times">
          {second === undefined ? (
            <span class="time">{cut(start, mostOfName) || '–'}</span>
          ) : (
            <button
              type="button"
              class="time"
              data-second={second}
              tabIndex={isActive ? 0 : -1}
              aria-label={texts.playFrom(start)}
            >
              {start}
            </button>
          )}
          {end && <span class="end">{cut(end, mostOfName)}</span>}
        </td>
        <td class="speaker" dir="auto">
          {cut(record.speaker, mostOfName)}
        </td>
        <td class="text" dir="auto">
          <Marked text={cut(record.text, mostCharacters, texts.more)} wanted={wanted} />
          {doubts && <Doubts doubts={doubts} />}
        </td>
      </>
    )
  }
}

/** The beginning of a text that a row shows, and what is said of the rest. A surrogate pair is not divided. */
function cut(text: string, most: number, more = ''): string {
  if (text.length <= most) return text
  return `${text.slice(0, most).replace(/[\uD800-\uDBFF]$/, '')} … ${more}`
}

function Marked({ text, wanted }: { text: string; wanted: string }) {
  const at = wanted ? text.toLowerCase().indexOf(wanted) : -1
  if (at < 0) return <p>{text}</p>
  return (
    <p>
      {text.slice(0, at)}
      <mark>{text.slice(at, at + wanted.length)}</mark>
      {text.slice(at + wanted.length)}
    </p>
  )
}

function Doubts({ doubts }: { doubts: Set<Doubt> }) {
  return (
    <ul class="doubts">
      {[...doubts].map((doubt) => (
        <li key={doubt}>{texts[doubt]}</li>
      ))}
    </ul>
  )
}
