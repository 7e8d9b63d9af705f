import type { ReportTrend } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { Wide } from '../parts/wide.tsx'
import { reportPath } from '../route.ts'
import { texts } from '../texts/report.ts'

/** Number of sessions that are shown side by side. */
const columns = 8

/**
 * The numbers of the chart, a few sessions at a time. It follows the newest session until the therapist asks for older ones; those stay in
 * their place when further reports arrive.
 */
export function LevelTable({ caseId, trend, chosen }: { caseId: number; trend: ReportTrend; chosen: string }) {
  const { sessions, categories } = trend
  /** The id of the session in the last column; undefined follows the newest one. */
  const [last, setLast] = useState<number>()
  // Ids rise with time, so that the place is found although the session itself was deleted.
  const found = last === undefined ? sessions.length : sessions.findLastIndex(({ session_id: id }) => id <= last) + 1
  const end = Math.max(Math.min(columns, sessions.length), found)
  const begin = Math.max(0, end - columns)
  const showUntil = (place: number) => setLast(place < sessions.length ? sessions[place - 1]?.session_id : undefined)
  return (
    <>
      <Wide label={texts.table}>
        <thead>
          <tr>
            <th scope="col">{texts.highlighted}</th>
            {sessions.slice(begin, end).map(({ session_id: id, name, created_date: date }) => (
              <th key={id} scope="col" class="number">
                <a href={reportPath(caseId, id)} aria-label={texts.openReport(name, date)} title={name}>
                  {date}
                </a>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {categories.map(({ category, levels }) => (
            <tr key={`=${category}`} class={category === chosen ? 'chosen' : undefined}>
              <th scope="row">
                <bdi>{category}</bdi>
              </th>
              {sessions.slice(begin, end).map(({ session_id: id }, index) => {
                const level = levels[begin + index]
                return (
                  <td key={id} class="number">
                    {level ?? <span class="quiet">{texts.unscored}</span>}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </Wide>
      {sessions.length > columns && (
        <div class="row">
          <button type="button" disabled={begin === 0} onClick={() => showUntil(Math.max(columns, begin))}>
            {texts.older}
          </button>
          <button type="button" disabled={end === sessions.length} onClick={() => showUntil(end + columns)}>
            {texts.newer}
          </button>
        </div>
      )}
    </>
  )
}
