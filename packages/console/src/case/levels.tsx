import type { ReportTrend } from '@playtherapy/client'
import { useMemo, useState } from 'preact/hooks'
import type uPlot from 'uplot'
import { api } from '../api.ts'
import { onNews } from '../live.ts'
import { Busy } from '../parts/busy.tsx'
import { Chart, type ChartOptions } from '../parts/chart.tsx'
import { Field } from '../parts/field.tsx'
import { Notice } from '../parts/notice.tsx'
import { useLoad } from '../parts/use-load.ts'
import { useRise } from '../parts/use-rise.ts'
import { reportPath } from '../route.ts'
import { texts } from '../texts/report.ts'
import { LevelTable } from './level-table.tsx'

/** The level of each category over the sessions of a case. */
export function Levels({ caseId }: { caseId: number }) {
  const reports = useRise(
    (rise) => {
      // Most events concern other things, such as the progress of an encode.
      const known = new Map<number, number | undefined>()
      return onNews(({ case_id, session_id: id, report }) => {
        const isKnown = known.has(id) && known.get(id) === report?.version
        known.set(id, report?.version)
        if (case_id === caseId && !isKnown) rise()
      })
    },
    [caseId],
  )
  const {
    data: trend,
    failure,
    reload,
  } = useLoad((signal) => api.reports.trend({ case_id: caseId }, { signal }), [caseId, reports])
  return (
    <section class="stack" aria-labelledby="levels">
      <h2 id="levels">{texts.levels}</h2>
      {failure !== undefined && <Notice failure={failure} onRetry={reload} />}
      {!trend && failure === undefined && <Busy />}
      {trend && (trend.sessions.length === 0 || trend.categories.length === 0) && <p class="quiet">{texts.noLevels}</p>}
      {trend && trend.sessions.length > 0 && trend.categories.length > 0 && <Trend caseId={caseId} trend={trend} />}
    </section>
  )
}

function Trend({ caseId, trend }: { caseId: number; trend: ReportTrend }) {
  const { sessions, categories } = trend
  const [chosen, setChosen] = useState<string>()
  const shown = categories.find(({ category }) => category === chosen) ?? categories[0]
  const at = shown ? categories.indexOf(shown) : 0
  const data = useMemo<uPlot.AlignedData>(
    () => [sessions.map((_, index) => index), ...categories.map(({ levels }) => levels)],
    [sessions, categories],
  )
  const options = useMemo<ChartOptions>(() => describe(trend, at), [trend, at])
  if (!shown) return null
  return (
    <>
      <Field label={texts.highlighted}>
        {(control) => (
          <select
            {...control}
            value={at}
            onChange={({ currentTarget: { value } }) => setChosen(categories[Number(value)]?.category)}
          >
            {categories.map(({ category }, index) => (
              <option key={`=${category}`} value={index}>
                {category}
              </option>
            ))}
          </select>
        )}
      </Field>
      <div class="paper">
        <Chart
          label={texts.levelsOf(shown.category)}
          options={options}
          data={data}
          onPick={(index) => {
            const session = sessions[index]
            if (session) location.hash = reportPath(caseId, session.session_id)
          }}
        />
      </div>
      <LevelTable caseId={caseId} trend={trend} chosen={shown.category} />
    </>
  )
}

/** Draws a line for every category and highlights the chosen one. A session without a level is a gap in the line. */
const describe =
  ({ sessions, categories }: ReportTrend, chosen: number): ChartOptions =>
  (colours) => {
    const axis = { stroke: colours('quiet'), grid: { stroke: colours('line'), width: 1 }, ticks: { show: false } }
    return {
      legend: { show: false },
      cursor: { points: { show: false }, drag: { x: false } },
      scales: {
        x: { time: false, range: () => [-0.5, sessions.length - 0.5] },
        y: { range: () => [-0.2, 4.2] },
      },
      axes: [
        {
          ...axis,
          size: 30,
          space: 90,
          incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500],
          values: (_, ticks) => ticks.map((tick) => sessions[tick]?.created_date ?? ''),
        },
        { ...axis, size: 28, splits: () => [0, 1, 2, 3, 4] },
      ],
      series: [
        {},
        ...categories.map((_, index) => {
          const isChosen = index === chosen
          const stroke = colours(isChosen ? 'accent' : 'line')
          return { stroke, width: isChosen ? 3 : 1, points: { show: true, size: isChosen ? 9 : 3, fill: stroke } }
        }),
      ],
    }
  }
