import type { ChunkKind, OpenDatabase } from '@playtherapy/schema'
import { costOf } from './costs.ts'
import { addChunks } from './outbox.ts'
import type { Recording } from './recordings.ts'
import type { PlannedJob } from './run.ts'

/** When a recording could be played, and when it was finished, in seconds from the beginning. */
export interface Times {
  playable: number
  finished: number
}

/** A recording with its row, and where its times are noted. */
interface Waiting extends Recording {
  videoId: number
  times: Times
}

/** Returns the first job of a recording. */
export type Way = (waiting: Waiting, database: OpenDatabase) => PlannedJob

interface Chunk {
  kind: ChunkKind
  index: number
  seconds: number
}

/** Lengths of the chunks of a picture in seconds, see services/worker/src/encode/cut.ts. */
const [firstLengths, mostLength, leastLength] = [[4, 8, 16], 30, 6]
const lengthOf = (index: number, left: number) =>
  Math.min(firstLengths[index] ?? mostLength, Math.max(leastLength, left / 3), left)
/** The sound has a chunk of so many seconds before the rest, which comes after three of the picture. */
const [beginningSeconds, beforeRest] = [60, 3]

/** The chunks of a recording in the order in which they are wanted, see services/worker/src/encode/plan.ts. */
function chunksOf({ seconds, isPlayable }: Recording): Chunk[] {
  const pieces: Chunk[] = []
  const kind = isPlayable ? 'lower' : 'picture'
  for (let from = 0; from < seconds; ) {
    const index = pieces.length
    const piece = lengthOf(index, seconds - from)
    pieces.push({ kind, index, seconds: piece })
    from += piece
  }
  const pictures: Chunk[] = isPlayable ? [{ kind: 'copy', index: 0, seconds }, ...pieces] : pieces
  return [
    { kind: 'sound', index: 0, seconds: beginningSeconds },
    ...pictures.slice(0, beforeRest),
    { kind: 'sound', index: 1, seconds: seconds - beginningSeconds },
    ...pictures.slice(beforeRest),
  ]
}

/** CPU seconds of all jobs of a recording, and of those that have to end before it can be played. */
export function cpuSecondsOf(recording: Recording): { whole: number; toPlayable: number } {
  const plan = costOf('plan', recording.seconds)
  const chunks = chunksOf(recording).map((chunk) => ({ ...chunk, cpuSeconds: costOf(chunk.kind, chunk.seconds) }))
  const sum = (some: typeof chunks) => some.reduce((all, { cpuSeconds }) => all + cpuSeconds, 0)
  return {
    whole: plan + sum(chunks) + costOf('finish', recording.seconds),
    toPlayable: plan + sum(chunks.filter(({ kind, index }) => kind !== 'lower' && index === 0)),
  }
}

/** A plan, chunks of picture and sound, and the end once all that the MP4 needs is there. */
export const inChunks: Way = ({ videoId: video_id, seconds, times, ...recording }, database) => {
  const chunks = chunksOf({ seconds, ...recording })
  const needed = new Set(chunks.filter(({ kind }) => kind !== 'lower'))
  const toPlay = new Set(chunks.filter(({ kind, index }) => kind !== 'lower' && index === 0))
  const finish: PlannedJob = {
    name: 'finish-video',
    payload: { video_id },
    cpuSeconds: costOf('finish', seconds),
    async ended(second) {
      times.finished = second
      return []
    },
  }
  const jobOf = (chunk: Chunk, chunk_id: number): PlannedJob => ({
    name: 'encode-chunk',
    payload: { video_id, chunk_id },
    cpuSeconds: costOf(chunk.kind, chunk.seconds),
    async ended(second) {
      if (toPlay.delete(chunk) && toPlay.size === 0) times.playable = second
      return needed.delete(chunk) && needed.size === 0 ? [finish] : []
    },
  })
  return {
    name: 'encode-video',
    payload: { video_id },
    cpuSeconds: costOf('plan', seconds),
    async ended() {
      const ids = await addChunks(database, video_id, chunks)
      return chunks.map((chunk, n) => jobOf(chunk, ids[n] ?? 0))
    },
  }
}

/** One job for the whole recording, as it was before there were chunks. */
export const inOnePiece: Way = ({ videoId: video_id, seconds, isPlayable, times }) => ({
  name: 'encode-video',
  payload: { video_id },
  cpuSeconds: costOf(isPlayable ? 'remux' : 'whole', seconds),
  async ended(second) {
    times.playable = second
    times.finished = second
    return []
  },
})
