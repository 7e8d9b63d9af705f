import { Readable } from 'node:stream'
import { type JobContext, PermanentError } from '@playtherapy/jobs'
import { inFolder, type ObjectStore, renditionPath, rungPath } from '@playtherapy/object-store'
import { announce, failures, joinChunks, type Rung } from '@playtherapy/schema'
import type { Input } from '../ffmpeg/bounded.ts'
import { runFfmpeg } from '../ffmpeg/ffmpeg.ts'
import { probe } from '../ffmpeg/probe.ts'
import { openSource } from '../ffmpeg/source-server.ts'
import { FfmpegError } from '../ffmpeg/supervised.ts'
import { refused, tooLong, UnreadableRecordingError } from './faults.ts'
import { mp4Run } from './finish.ts'
import { finishPreviews } from './finish-previews.ts'
import {
  announceRest,
  areSettled,
  type ChunkFile,
  commitRendition,
  commitRung,
  type FinishedRung,
  forgetChunks,
  type Made,
  readMade,
  spareObjects,
} from './finish-repository.ts'
import { OvertakenError, underLease } from './lease.ts'
import { discard, type EncodeResources, type EncodeSettings, putAll, withScratch } from './resources.ts'
import { claimVideo, giveWay, leaseOfVideo, type VideoClaim } from './video-repository.ts'

/** For so long objects of chunks are kept for those who began to read them before the finished rung took their place. */
const settledSeconds = 600

/**
 * The job that ends an encode, as far as its chunks allow: it joins them to rungs, makes the rendition by copying, then the
 * still pictures, and later removes what nobody reads any more. It may be repeated, and run twice at once.
 */
export function createFinishVideo(resources: EncodeResources) {
  const { db, store } = resources
  return async ({ video_id }: { video_id: number }, { signal }: Pick<JobContext, 'signal'>): Promise<void> => {
    const claim = await claimVideo(db, video_id)
    if (!claim) return
    const isMine = await underLease(leaseOfVideo(db, claim), signal, async (signal) => {
      const made = await readMade(db, video_id)
      if (!made) return
      made.rungs.push(...(await finishRungs(resources, claim, made, signal)))
      made.hasRendition ||= await finishRendition(resources, claim, made, signal)
      if (!made.isWhole) await announceRest(db, claim)
      if (!made.hasPreviews) await finishPreviews(resources, claim, made, signal)
      if (!made.isWhole || !made.hasRendition) return
      if (await areSettled(db, video_id, settledSeconds)) {
        await discard(store, await spareObjects(db, video_id))
        await forgetChunks(db, claim)
      } else {
        await announce(db, 'finish-video', { video_id }, { delaySeconds: settledSeconds + 1 })
      }
    })
    if (!isMine) await giveWay(db, video_id)
  }
}

/** Finishes all rungs whose chunks are complete, at once, because the store takes most of the time. */
async function finishRungs(
  resources: EncodeResources,
  claim: VideoClaim,
  { complete }: Made,
  signal: AbortSignal,
): Promise<FinishedRung[]> {
  const finishing = [...complete].map(([rung, files]) => finishRung(resources, claim, rung, files, signal))
  await Promise.allSettled(finishing)
  return await Promise.all(finishing)
}

/** Makes one object of the chunks of a rung, and returns it. That of a single chunk is taken over. */
async function finishRung(
  { db, store }: EncodeResources,
  claim: VideoClaim,
  rung: Rung,
  files: ChunkFile[],
  signal: AbortSignal,
): Promise<FinishedRung> {
  const joined = joinChunks(files)
  const [first] = files
  const withPicture = files.find(({ segments }) => segments.length > 0)
  if (!first || !withPicture) throw new UnreadableRecordingError()
  const { codec, width, height } = withPicture
  const parts = joined.map(({ part }) => part).filter(({ segments }) => segments.length > 0)
  const described = { rung, codec, width, height, parts }
  if (files.length === 1) {
    const { path, size, etag } = first
    const finished = { path, size, etag, ...described }
    if (!(await commitRung(db, claim, finished))) throw new OvertakenError()
    return finished
  }
  const path = rungPath(claim.original.path, claim.attempt, rung)
  const contentType = rung === 'sound' ? 'audio/mp4' : 'video/mp4'
  const bytes = Readable.from(readJoined(store, joined, signal), { objectMode: false })
  const object = await store.put(inFolder('video', path), bytes, { contentType, signal })
  const finished = { path, ...object, ...described }
  if (await commitRung(db, claim, finished)) return finished
  await discard(store, [path])
  throw new OvertakenError()
}

async function* readJoined(
  store: ObjectStore,
  joined: { file: ChunkFile; skipped: number }[],
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  for (const { file, skipped } of joined) {
    if (file.size === skipped) continue
    yield* await store.get(inFolder('video', file.path), { start: skipped, ifMatch: file.etag, signal })
  }
}

/** Makes the MP4 of the upper rung and the sound without another encode. Returns whether both are finished. */
async function finishRendition(
  { db, store, settings }: EncodeResources,
  claim: VideoClaim,
  { rungs, seconds, hasSound }: Made,
  signal: AbortSignal,
): Promise<boolean> {
  const [upper, sound] = (['upper', 'sound'] as const).map((wanted) => rungs.find(({ rung }) => rung === wanted))
  if (!upper || (hasSound && !sound)) return false
  const size = upper.size + (sound?.size ?? 0)
  if (size > settings.scratchMaxBytes) throw new PermanentError(failures.encoded_too_large)
  await withScratch(settings, 1, async ([file]) => {
    if (!file) return
    const objects = [upper, ...(sound ? [sound] : [])].map((rung) => ({ ...rung, key: inFolder('video', rung.path) }))
    const source = await openSource(store, ...objects)
    const shownSeconds = upper.parts.flatMap(({ segments }) => segments).reduce((sum, [length]) => sum + length, 0)
    const inputs = { upper: source.input(0), sound: sound && source.input(1) }
    const run = mp4Run({ ...inputs, seconds: shownSeconds }, file)
    const { scratchMaxBytes: maxBytes } = settings
    try {
      await runFfmpeg({ ...settings, ...run, size, signal, seconds, maxBytes, onProgress: () => {} })
      if (source.readError()) throw source.readError()
    } catch (error) {
      throw signal.aborted ? error : (source.readError() ?? refused(error, settings.maxSeconds))
    } finally {
      await source.close()
    }
    const made = { path: file.pathFor(3), files: [file.handle] }
    const path = renditionPath(claim.original.path, claim.attempt)
    const [stored, checked] = await Promise.allSettled([
      putAll(store, [{ path, contentType: 'video/mp4', file }], signal),
      check(made, { ...settings, signal }),
    ])
    if (stored.status === 'rejected') throw stored.reason
    const [object] = stored.value
    const isGood = object && checked.status === 'fulfilled'
    if (isGood && (await commitRendition(db, claim, { ...object, ...checked.value }))) return
    await discard(store, [path])
    throw checked.status === 'rejected' ? checked.reason : new OvertakenError()
  })
  return true
}

/** Checks that the result is playable and shows a picture. Throws PermanentError, and FfmpegError because of our disk. */
async function check(made: Input, { maxSeconds, ...settings }: EncodeSettings & { signal: AbortSignal }) {
  // If ffmpeg reported no error but its result cannot be read, the cause is our disk and not the original.
  const { pictures, sounds, seconds } = await probe(made, 'mp4', settings).catch(() => {
    throw new FfmpegError('disk full')
  })
  const [video] = pictures
  const isPlayable = video?.codec === 'h264' && video.statedSeconds && sounds.every(({ codec }) => codec === 'aac')
  if (!isPlayable || seconds === undefined) throw new UnreadableRecordingError()
  if (seconds > maxSeconds) throw new PermanentError(tooLong(maxSeconds))
  return { seconds, width: video.width, height: video.height }
}
