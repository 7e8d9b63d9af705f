import uPlot from 'uplot'
import { colourOf } from '../parts/colour.ts'

/** A stretch of talk of one speaker, in seconds. */
export interface Turn {
  start: number
  end: number
  /** The line of the speaker, from 0 above. */
  lane: number
}

export interface TurnsPlot {
  show(width: number): void
  end(): void
}

/** Height of a speaker's line and of the axis, in pixels. */
const [laneHeight, axisHeight] = [26, 44]
const clock = (second: number) => new Date(second * 1000).toISOString().slice(second >= 3600 ? 11 : 14, 19)

/** Draws who talked when over the time of the recording. A click calls `onSeek` with its second. */
export function plotTurns(
  place: HTMLElement,
  turns: readonly Turn[],
  names: readonly string[],
  onSeek: (second: number) => void,
): TurnsPlot {
  const [axis, line, ink] = [colourOf(place, 'quiet'), colourOf(place, 'line'), colourOf(place, 'ink')]
  const lanes = [colourOf(place, 'accent'), colourOf(place, 'caution')]
  const last = turns.reduce((most, { end }) => Math.max(most, end), 1)
  const height = names.length * laneHeight + axisHeight
  const plot = new uPlot(
    {
      width: place.clientWidth,
      height,
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [0, last] }, y: { dir: -1, range: [-0.5, names.length - 0.5] } },
      axes: [
        {
          stroke: axis,
          grid: { stroke: line },
          ticks: { stroke: line },
          space: 70,
          values: (_, seconds) => seconds.map(clock),
        },
        {
          stroke: ink,
          size: 90,
          grid: { show: false },
          ticks: { show: false },
          splits: () => names.map((_, lane) => lane),
          values: () => names.map((name) => (name.length > 10 ? `${[...name].slice(0, 9).join('')}…` : name)),
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
    },
    [
      [0, last],
      [0, 0],
    ],
    place,
  )
  plot.over.addEventListener('click', ({ offsetX }) => onSeek(plot.posToVal(offsetX, 'x')))
  plot.over.style.cursor = 'pointer'
  return { show: (width) => plot.setSize({ width, height }), end: () => plot.destroy() }
}
