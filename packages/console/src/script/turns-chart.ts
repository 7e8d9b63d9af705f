import type { ChartOptions } from '../parts/chart.tsx'
import type { Row } from './change.ts'
import { secondsOf, timeOf } from './records.ts'

/** A stretch of talk of one speaker, in seconds. */
interface Turn {
  start: number
  end: number
  /** The line of the speaker, from 0 above. */
  lane: number
}

/** Speakers with a line of their own; the talk of any further ones is left out. */
const mostLanes = 8
/** Height of a speaker's line and of the axis, in pixels. */
const [laneHeight, axisHeight] = [26, 44]
const clock = (second: number) => (second < 3600 ? timeOf(second).slice(3) : timeOf(second))
const shortened = (name: string) => (name.length > 10 ? `${[...name].slice(0, 9).join('')}…` : name)

/** The talk of each record with known times, by the lines of the speakers. */
function turnsOf(rows: readonly Row[]): { turns: Turn[]; names: string[] } {
  const names: string[] = []
  const turns: Turn[] = []
  for (const { record } of rows) {
    const [start, end] = [secondsOf(record.start_time), secondsOf(record.end_time)]
    if (start === undefined || end === undefined || end < start) continue
    const speaker = record.speaker.trim()
    if (!names.includes(speaker) && names.length < mostLanes) names.push(speaker)
    const lane = names.indexOf(speaker)
    if (lane >= 0) turns.push({ start, end, lane })
  }
  return { turns, names }
}

/** Describes the chart of who talked when over the time of the recording; undefined where no record has times. */
export function turnsChart(rows: readonly Row[]) {
  const { turns, names } = turnsOf(rows)
  if (turns.length === 0) return undefined
  const last = turns.reduce((most, { end }) => Math.max(most, end), 1)
  const options: ChartOptions = (colours) => {
    const line = colours('line')
    const lanes = [colours('accent'), colours('caution')]
    return {
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [0, last] }, y: { dir: -1, range: [-0.5, names.length - 0.5] } },
      axes: [
        {
          stroke: colours('quiet'),
          grid: { stroke: line },
          ticks: { stroke: line },
          space: 70,
          values: (_, seconds) => seconds.map(clock),
        },
        {
          stroke: colours('ink'),
          size: 90,
          grid: { show: false },
          ticks: { show: false },
          splits: () => names.map((_, lane) => lane),
          values: () => names.map(shortened),
        },
      ],
      series: [{}, { show: true, points: { show: false }, paths: () => null }],
      hooks: {
        draw: [
          ({ ctx, valToPos }) => {
            const bar = laneHeight * 0.6 * devicePixelRatio
            for (const { start, end, lane } of turns) {
              const [left, right] = [valToPos(start, 'x', true), valToPos(end, 'x', true)]
              ctx.fillStyle = lanes[lane % lanes.length] ?? ''
              ctx.fillRect(left, valToPos(lane, 'y', true) - bar / 2, Math.max(right - left, devicePixelRatio), bar)
            }
          },
        ],
      },
    }
  }
  /** The ends of the time; the turns are drawn by the hook above. */
  const data: [number[], number[]] = [
    [0, last],
    [0, 0],
  ]
  return { options, data, height: names.length * laneHeight + axisHeight }
}
