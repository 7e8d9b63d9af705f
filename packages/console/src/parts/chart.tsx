import { useEffect, useRef, useState } from 'preact/hooks'
import type uPlot from 'uplot'
import { loadPlot } from '../late-parts.ts'
import { texts } from '../texts/chart.ts'
import { colourOf } from './colour.ts'

/** Colours of the page by the names of their variables. */
type Colours = (name: 'ink' | 'quiet' | 'line' | 'accent' | 'caution') => string

/** Describes a chart without its size. It is called again when the colours of the page change. */
export type ChartOptions = (colours: Colours, plot: typeof uPlot) => Omit<uPlot.Options, 'width' | 'height'>

/**
 * A chart, drawn by uPlot, which is loaded with the first chart. Screen readers read `label`, so the numbers must also be in a table
 * beside the chart. Pass the same objects `options` and `data` until they change.
 */
export function Chart({
  label,
  options,
  data,
  height = 220,
  onPick,
}: {
  label: string
  options: ChartOptions
  data: uPlot.AlignedData
  height?: number
  /** Called after a click with the index of the nearest data and the value of x at the pointer. */
  onPick?: (index: number, x: number) => void
}) {
  const place = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(null)
  const pick = useRef(onPick)
  pick.current = onPick
  const latest = useRef(data)
  latest.current = data
  const [isMissing, setMissing] = useState(false)

  useEffect(() => {
    const element = place.current
    if (!element) return
    const ended = new AbortController()
    const { signal } = ended
    const remove = () => {
      chart.current?.destroy()
      chart.current = null
    }
    const draw = (plot: typeof uPlot) => {
      remove()
      const width = element.clientWidth
      // A hidden part of the page has no width. Its chart is drawn when it becomes visible.
      if (width === 0) return
      const described = options((name) => colourOf(element, name), plot)
      const drawn = new plot({ ...described, width, height }, latest.current, element)
      drawn.over.addEventListener('click', ({ offsetX }) => {
        const { idx } = drawn.cursor
        if (typeof idx === 'number') pick.current?.(idx, drawn.posToVal(offsetX, 'x'))
      })
      if (pick.current) drawn.over.style.cursor = 'pointer'
      chart.current = drawn
    }
    loadPlot().then(
      ({ default: plot }) => {
        if (signal.aborted) return
        const sized = new ResizeObserver(() => {
          const width = element.clientWidth
          if (!chart.current) draw(plot)
          else if (width > 0 && width !== chart.current.width) chart.current.setSize({ width, height })
        })
        sized.observe(element)
        signal.addEventListener('abort', () => sized.disconnect())
        matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => draw(plot), { signal })
      },
      () => signal.aborted || setMissing(true),
    )
    return () => {
      ended.abort()
      remove()
    }
  }, [options, height])

  useEffect(() => chart.current?.setData(data), [data])

  return (
    <>
      <div ref={place} class="chart" role="img" aria-label={label} />
      {isMissing && <p class="quiet">{texts.missing}</p>}
    </>
  )
}
