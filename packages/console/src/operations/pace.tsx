import { useMemo } from 'preact/hooks'
import type uPlot from 'uplot'
import { number } from '../parts/amounts.ts'
import { Chart, type ChartOptions } from '../parts/chart.tsx'
import { texts } from '../texts/operations.ts'

/** Number of minutes in one row of the table. */
const minutesPerRow = 10

/** How fast recordings were encoded in each minute of the last hour, as a chart and as a table. */
export function Pace({ seconds }: { seconds: readonly number[] }) {
  const text = seconds.join()
  const data = useMemo<uPlot.AlignedData>(
    () => [seconds.map((_, index) => index - seconds.length + 1), seconds.map((sum) => sum / 60)],
    [text],
  )
  const total = seconds.reduce((sum, each) => sum + each, 0)
  const rows = Array.from({ length: Math.ceil(seconds.length / minutesPerRow) }, (_, index) => {
    const part = seconds.slice(index * minutesPerRow, (index + 1) * minutesPerRow)
    const ago = seconds.length - index * minutesPerRow
    return { ago, pace: part.reduce((sum, each) => sum + each, 0) / (part.length * 60) }
  })
  const summary =
    total === 0 ? texts.noPace : texts.pace(number(total / 60, 1), number(total / (seconds.length * 60), 2))
  return (
    <section class="stack" aria-labelledby="pace">
      <h2 id="pace">{texts.paceTitle}</h2>
      <p>{summary}</p>
      <div class="paper">
        <Chart label={`${texts.paceTitle}. ${summary}`} options={describe} data={data} height={180} />
      </div>
      <details>
        <summary>{texts.asTable}</summary>
        <table class="numbers">
          <thead>
            <tr>
              <th scope="col">{texts.minutes}</th>
              <th scope="col">{texts.times}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map(({ ago, pace }) => (
              <tr key={ago}>
                <th scope="row">{texts.minutesAgo(ago, ago - minutesPerRow)}</th>
                <td>{number(pace, 2)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </details>
    </section>
  )
}

const describe: ChartOptions = (colours, plot) => {
  const axis = { stroke: colours('quiet'), grid: { stroke: colours('line'), width: 1 }, ticks: { show: false } }
  const { bars } = plot.paths
  return {
    legend: { show: false },
    cursor: { show: false },
    scales: {
      x: { time: false, range: (_, min, max) => [min - 0.5, max + 0.5] },
      y: { range: (_, _min, max) => [0, Math.max(1, max * 1.1)] },
    },
    axes: [
      { ...axis, size: 30, values: (_, ticks) => ticks.map((tick) => texts.minute(tick)) },
      { ...axis, size: 44, values: (_, ticks) => ticks.map((tick) => `${number(tick, 1)}×`) },
    ],
    series: [
      {},
      {
        width: 0,
        fill: colours('accent'),
        points: { show: false },
        ...(bars && { paths: bars({ size: [0.8, 24] }) }),
      },
    ],
  }
}
