import { useSignalEffect } from '@preact/signals'
import {
  defaultRangeExtractor,
  elementScroll,
  observeElementOffset,
  observeElementRect,
  Virtualizer,
} from '@tanstack/virtual-core'
import { useLayoutEffect, useMemo, useReducer, useRef } from 'preact/hooks'
import { texts } from '../texts/script.ts'
import type { Reading } from './reading.ts'
import { RecordEditor } from './record-editor.tsx'
import { RecordCells } from './record-row.tsx'

/** The assumed height of a row that was never drawn, in pixels: two lines. */
const usualHeight = 60

/** The table is a grid in the words of ARIA, because arrow keys move between its rows. */
const grid = { role: 'grid' } as const

/**
 * The list of records. Only the visible records are drawn, some around them, the focused one and the one that is being edited, so that a
 * list of 100,000 records scrolls like one of thirty. `aria-rowcount` tells screen readers the number of all records.
 */
export function RecordList({ reading }: { reading: Reading }) {
  const { drafts, playback, active, timing, wanted } = reading
  const scroller = useRef<HTMLDivElement>(null)
  const [, redraw] = useReducer((drawn: number) => drawn + 1, 0)
  const rows = drafts.rows.value
  const draft = drafts.draft.value
  const activeKey = active.value ?? rows[0]?.key
  const current = reading.current.value

  const pinned = useMemo(
    () => rows.flatMap(({ key }, index) => (key === activeKey || key === draft?.row.key ? [index] : [])),
    [rows, activeKey, draft?.row.key],
  )
  const getItemKey = useMemo(() => (index: number) => rows[index]?.key ?? -1, [rows])
  const options = {
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => usualHeight,
    getItemKey,
    overscan: 6,
    // The visible records stay in their place when records above them are added or removed.
    anchorTo: 'end',
    rangeExtractor: (range: Parameters<typeof defaultRangeExtractor>[0]) =>
      [...new Set([...defaultRangeExtractor(range), ...pinned])].sort((a, b) => a - b),
    observeElementRect,
    observeElementOffset,
    scrollToFn: elementScroll,
    onChange: () => redraw(undefined),
  } as const
  const list = useMemo(() => new Virtualizer<HTMLDivElement, HTMLTableRowElement>(options), [])
  list.setOptions(options)
  useLayoutEffect(() => list._didMount(), [])
  useLayoutEffect(() => list._willUpdate())

  useLayoutEffect(() => {
    reading.show = (key, align = 'auto') => {
      const index = drafts.rows.peek().findIndex((row) => row.key === key)
      if (index >= 0) list.scrollToIndex(index, { align })
    }
  }, [reading])

  // The record that is spoken stays between the upper and the lower quarter of the list.
  useSignalEffect(() => {
    const index = reading.current.value
    if (!reading.follows.value || index === undefined || drafts.draft.value) return
    const { scrollRect, scrollOffset } = list
    const place = list.measurementsCache[index]
    const height = scrollRect?.height ?? 0
    const top = (place?.start ?? 0) - (scrollOffset ?? 0)
    if (!place || top < height / 4 || top + place.size > (height * 3) / 4)
      list.scrollToIndex(index, { align: 'center' })
  })

  return (
    <div
      ref={scroller}
      class="records"
      onWheel={reading.stopFollowing}
      onTouchMove={reading.stopFollowing}
      onPointerDown={(event) => {
        // A pointer on the scroll bar has the list itself as its target.
        if (event.target === event.currentTarget) reading.stopFollowing()
      }}
    >
      <table
        {...grid}
        aria-label={texts.records}
        aria-rowcount={rows.length}
        style={{ height: `${list.getTotalSize()}px` }}
        onKeyDown={reading.onKeyDown}
        onClick={reading.onClick}
        onFocusOut={reading.onFocusOut}
      >
        <tbody>
          {list.getVirtualItems().map(({ index, start }) => {
            const row = rows[index]
            if (!row) return null
            const { key, record } = row
            const isDraft = draft?.row.key === key
            const isActive = activeKey === key
            return (
              <tr
                key={key}
                ref={list.measureElement}
                data-index={index}
                data-key={key}
                aria-rowindex={index + 1}
                aria-current={index === current ? 'true' : undefined}
                tabIndex={isDraft ? undefined : isActive ? 0 : -1}
                style={{ transform: `translateY(${start}px)` }}
              >
                {isDraft ? (
                  <RecordEditor
                    key={draft.id}
                    draft={draft}
                    drafts={drafts}
                    playback={playback}
                    speakers={reading.speakers.value}
                    onEnd={reading.focus}
                  />
                ) : (
                  <RecordCells
                    record={record}
                    doubts={timing.value.doubts.get(key)}
                    isActive={isActive}
                    wanted={wanted.value}
                  />
                )}
              </tr>
            )
          })}
        </tbody>
      </table>
    </div>
  )
}
