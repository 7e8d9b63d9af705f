import { captionTime } from '@playtherapy/schema'
import { type Cue, cues, linesOf, type ScriptRecord, spoken } from '@playtherapy/versions/records'

/** A browser shows nothing of a cue that does not fit: above its controls there is room for some twelve lines. */
const mostLines = 10
/** Letters of one line, where a Chinese, Japanese or Korean one counts twice. Chromium fits some seventy. */
const lineLetters = 64

interface Placed extends Cue {
  /** How many lines it takes, at a guess. */
  lines: number
}

/** How many lines a text takes, at a guess. Of a text that is longer than `mostLines` no more than its beginning counts. */
function linesFor(text: string): number {
  let lines = 0
  for (const line of linesOf(text)) {
    const start = line.slice(0, (mostLines + 1) * lineLetters)
    const letters = start.length + (start.match(/[\u1100-\uffdc]/g)?.length ?? 0)
    lines += Math.max(1, Math.ceil(letters / lineLetters))
    if (lines > mostLines) break
  }
  return lines
}

/**
 * Returns the last of `started` that have not ended at this time, as many as fit, and at least one. Those that ended among
 * them are removed.
 */
function shownAt(started: Placed[], at: number): Placed[] {
  const last: Placed[] = []
  let lines = 0
  while (lines <= mostLines) {
    const cue = started.pop()
    if (!cue) break
    if (cue.end <= at) continue
    last.unshift(cue)
    lines += cue.lines
  }
  started.push(...last)
  return lines > mostLines && last.length > 1 ? last.slice(1) : last
}

/**
 * A script as WebVTT for players. Some players show one cue at a time (sampotts/plyr #998), so its cues do not overlap:
 * where people talk at once, one cue has the lines of all, who began first above. `toVtt` has a cue for each record, for
 * editing programs and our import. Each cue begins so far above the bottom that a line below it is free: browsers move cues
 * above their own controls, and video.js covers the last line of others.
 */
export function* toCaptions(records: ScriptRecord[]): Iterable<string> {
  yield 'WEBVTT\n'
  const waiting = cues(records)
  const times = Float64Array.from(new Set(waiting.flatMap(({ start, end }) => [start, end]))).sort()
  const started: Placed[] = []
  let next = 0
  for (const [index, from] of times.entries()) {
    for (let cue = waiting[next]; cue && cue.start === from; cue = waiting[++next]) {
      started.push({ ...cue, lines: linesFor(cue.text) })
    }
    const to = times[index + 1]
    const shown = shownAt(started, from)
    if (to === undefined || shown.length === 0) continue
    const lines = shown.reduce((sum, cue) => sum + cue.lines, 0)
    const line = `line:-${Math.min(lines, mostLines) + 1}`
    yield `\n${captionTime(from, '.')} --> ${captionTime(to, '.')} ${line}\n`
    for (const cue of shown) {
      yield* spoken(cue)
      yield '\n'
    }
  }
}
