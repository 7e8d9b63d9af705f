import type { ReportTrend } from '@playtherapy/client'
import { useState } from 'preact/hooks'
import { Wide } from '../parts/wide.tsx'
import { reportPath } from '../route.ts'
import { texts } from '../texts/report.ts'

/** Sessions that are shown side by side. */
const columns = 8

/** The numbers of the chart: the newest sessions first shown, with the way to the older ones. */
export function LevelTable({ caseId, trend, chosen }: { caseId: number; trend: ReportTrend; chosen: string }) {
  const { sessions, categories } = trend
  const [back, setBack] = useState(0)
  const end = Math.max(Math.min(columns, sessions.length), sessions.length - back)
  const begin = Math.max(0, end - columns)
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
          <button type="button" disabled={begin === 0} onClick={() => setBack(sessions.length - begin)}>
            {texts.older}
          </button>
          <button
            type="button"
            disabled={end === sessions.length}
            onClick={() => setBack(Math.max(0, sessions.length - end - columns))}
          >
            {texts.newer}
          </button>
        </div>
      )}
    </>
  )
}
