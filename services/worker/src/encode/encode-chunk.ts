import type { JobContext } from '@playtherapy/jobs'
import { audioPath, chunkPath, inFolder } from '@playtherapy/object-store'
import type { Database, Rung, Segments } from '@playtherapy/schema'
import { inSpan } from '@playtherapy/tracing'
import { runFfmpeg } from '../ffmpeg/ffmpeg.ts'
import { readFragments, toSegments } from '../ffmpeg/fragments.ts'
import { areSame } from '../ffmpeg/packet-list.ts'
import type { ScratchFile } from '../ffmpeg/scratch.ts'
import { openSource } from '../ffmpeg/source-server.ts'
import { FfmpegError } from '../ffmpeg/supervised.ts'
import { type ChunkOutput, chunkRun, type EncodePlan } from './chunk-options.ts'
import {
  type ChunkClaim,
  claimChunk,
  commitChunk,
  giveUpRungs,
  leaseOfChunk,
  type NewChunkFile,
  replacePicture,
} from './chunk-repository.ts'
import { judged, UnreadableRecordingError } from './faults.ts'
import { underLease } from './lease.ts'
import { chunksOf, toEncodePlan } from './plan.ts'
import { discard, type EncodeResources, putAll, withScratch } from './resources.ts'
import { fail, giveWay } from './video-repository.ts'

/** A picture cannot be copied as one, because its key frames state several formats. */
class SeveralFormatsError extends Error {}

type Payload = { video_id: number; chunk_id: number }
type Progress = (percent: number) => void

/** What ffmpeg has made of a chunk, before it is stored. */
interface MadeChunk {
  files: { rung: Rung; file: ScratchFile; described: Omit<NewChunkFile, 'rung' | 'path' | 'size' | 'etag'> }[]
  /** The sound for a transcriber. */
  audio: ScratchFile | undefined
  frames: number
}

/**
 * The job that encodes one chunk of a video, from the object store into scratch files, stores them under keys of this attempt
 * and commits. It may run twice at once: one attempt commits, and the other removes its objects.
 */
export function createEncodeChunk(resources: EncodeResources) {
  const { db } = resources
  return async ({ video_id, chunk_id }: Payload, { signal }: Pick<JobContext, 'signal'>): Promise<void> => {
    const began = performance.now()
    const claim = await claimChunk(db, video_id, chunk_id)
    if (!claim) return
    const plan = await toEncodePlan(claim.plan)
    const isMine = await underLease(leaseOfChunk(db, claim), signal, async (signal, onProgress) => {
      const { kind, attempt, fromSeconds, toSeconds } = claim
      const ids = { 'playtherapy.video_id': video_id, 'playtherapy.chunk_id': chunk_id, 'playtherapy.attempt': attempt }
      const work = async (scratch: ScratchFile[]) => {
        const made = await encode(resources, claim, plan, scratch, signal, onProgress)
        if (!(await keep(resources, claim, made, signal))) return
        resources.measures.chunk({ kind }, (performance.now() - began) / 1000)
        resources.measures.seconds({ kind }, toSeconds - fromSeconds)
      }
      const about = { name: `chunk ${kind}`, attributes: ids }
      const encoding = inSpan(about, () => withScratch(resources.settings, 2, work))
      await encoding.catch((error: unknown) => {
        if (!(error instanceof SeveralFormatsError) && !(error instanceof UnreadableRecordingError)) throw error
        const other = simpler(plan, claim.kind)
        if (!other) throw error
        return replacePicture(
          db,
          claim,
          other,
          chunksOf(other).filter(({ kind }) => kind !== 'sound'),
        )
      })
    })
    if (!isMine) await giveWay(db, video_id)
  }
}

/**
 * Another plan for a picture of which a chunk cannot be read: what cannot be copied may still be shown, and then be encoded,
 * and where nothing of a part can be decoded, all parts together still can. Undefined if there is none.
 */
function simpler(plan: EncodePlan, kind: ChunkClaim['kind']): EncodePlan | undefined {
  if (kind === 'copy') return { ...plan, canCopy: false }
  return kind === 'picture' && plan.cuts.length > 0 ? { ...plan, cuts: [] } : undefined
}

/** Records that a chunk was given up, and with it the encode of its video; false when the video was deleted. */
export const createChunkFailed =
  (db: Database) =>
  async ({ video_id, chunk_id }: Payload, reason: string): Promise<boolean> => {
    return (await giveUpRungs(db, video_id, chunk_id)) || fail(db, video_id, reason)
  }

/** Encodes a chunk into scratch files, and checks them. Throws PermanentError because of the recording. */
async function encode(
  { store, settings }: EncodeResources,
  { original, kind, fromSeconds: from, toSeconds: to }: ChunkClaim,
  plan: EncodePlan,
  scratch: ScratchFile[],
  signal: AbortSignal,
  onProgress: Progress,
): Promise<MadeChunk> {
  const { path, size, etag, container } = original
  const source = await openSource(store, { key: inFolder('video', path), size, etag })
  try {
    const make = async (hasLongGaps: boolean): Promise<ChunkOutput[]> => {
      const { outputs, ...how } = chunkRun(plan, { kind, from, to }, hasLongGaps)
      const files = outputs.map(({ options }, index) => ({ options, file: fileAt(scratch, index) }))
      const begin = how.keepsClock ? from : 0
      const input = { input: source.input(), size, container }
      const run = { ...settings, ...how, ...input, begin, seconds: to - begin, signal, onProgress, outputs: files }
      await runFfmpeg({ ...run, maxBytes: settings.scratchMaxBytes }).catch((error: unknown) => {
        // The second time the sound is as good as it gets: it runs early behind a gap of hours.
        if (!(error instanceof FfmpegError) || error.why !== 'long gap' || source.readError()) throw error
        return hasLongGaps ? undefined : make(true)
      })
      return outputs.map(({ made }) => made)
    }
    const made: MadeChunk = { files: [], audio: undefined, frames: 0 }
    for (const [index, of] of (await make(false)).entries()) {
      const file = fileAt(scratch, index)
      if (of === 'transcriber') {
        made.audio = file
        continue
      }
      if (of === 'formats') {
        // Only an encode can show them all in one size.
        if (!(await areSame(file.handle))) throw new SeveralFormatsError()
        continue
      }
      const { fragments, frames, firstSeconds, endSeconds, ...described } = await readFragments(file.handle)
      // Those of all chunks together are the length of the picture.
      const [begin, end] = [plan.cuts.includes(from) ? from : firstSeconds, plan.cuts.includes(to) ? to : endSeconds]
      if (of !== 'lower' || kind === 'lower') made.frames = frames
      made.files.push({
        rung: of,
        file,
        described: { ...described, segments: lasting(toSegments(fragments), end - begin) },
      })
    }
    if (source.readError()) throw source.readError()
    if (kind !== 'sound' && made.frames === 0) throw new UnreadableRecordingError()
    return made
  } catch (error) {
    throw judged(error, source, settings.maxSeconds, signal)
  } finally {
    await source.close()
  }
}

/** Segments of which the last one lasts until the next chunk, so that the lengths of all chunks add up. */
function lasting(segments: Segments, seconds: number): Segments {
  const last = segments.at(-1)
  const before = segments.slice(0, -1)
  const spent = before.reduce((sum, [length]) => sum + length, 0)
  return last ? [...before, [seconds - spent, last[1]]] : []
}

function fileAt(files: ScratchFile[], index: number): ScratchFile {
  const file = files[index]
  if (!file) throw new Error('no scratch file for this')
  return file
}

/** Stores what was made of a chunk and commits it; objects that are not needed are removed. Returns whether it was committed. */
async function keep(
  { db, store, measures }: EncodeResources,
  claim: ChunkClaim,
  { files, audio, frames }: MadeChunk,
  signal: AbortSignal,
): Promise<boolean> {
  const { chunkId, attempt, original } = claim
  const objects = files.map(({ rung, file }) => ({
    path: chunkPath(original.path, chunkId, attempt, rung),
    contentType: rung === 'sound' ? 'audio/mp4' : 'video/mp4',
    file,
  }))
  if (audio) {
    objects.push({ path: audioPath(original.path, chunkId, attempt), contentType: 'audio/mp4', file: audio })
  }
  const stored = await putAll(store, objects, signal)
  const rows = files.flatMap(({ rung, described }, index) => {
    const object = stored[index]
    return object ? [{ ...object, ...described, rung }] : []
  })
  const ofTranscriber = audio && stored.at(-1)
  const result = { files: rows, frames, ...(ofTranscriber && { audio: ofTranscriber }) }
  const { isCommitted, spare, playableSeconds } = await commitChunk(db, claim, result)
  if (playableSeconds !== undefined) measures.playable({}, playableSeconds)
  await discard(store, spare)
  return isCommitted
}
