import { buffer } from 'node:stream/consumers'
import { type JobContext, PermanentError } from '@playtherapy/jobs'
import {
  audioPath,
  inFolder,
  ObjectChangedError,
  ObjectMissingError,
  type ObjectStore,
  renditionPath,
} from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { findAudible } from '../ffmpeg/audible.ts'
import { runFfmpeg } from '../ffmpeg/ffmpeg.ts'
import { type Probe, probe, UnreadableError } from '../ffmpeg/probe.ts'
import { isRiffCut } from '../ffmpeg/riff.ts'
import { openScratchFile, type ScratchFile } from '../ffmpeg/scratch.ts'
import { type OpenSource, openSource } from '../ffmpeg/source-server.ts'
import { FfmpegError } from '../ffmpeg/supervised.ts'
import { choosePicture } from './choose-picture.ts'
import { type Finding, plan } from './plan.ts'
import { type Claim, claimVideo, commit, fail, giveWay, type NewRendition, release, renew } from './repository.ts'

export interface EncodeSettings {
  scratchDirectory: string
  scratchMaxBytes: number
  /** Longest recording, in seconds. */
  maxSeconds: number
  /** Memory of one ffmpeg, in bytes. */
  memoryBytes: number
  stallSeconds: number
  ffmpegPath: string
  ffprobePath: string
}

export interface EncodeResources {
  db: Database
  store: ObjectStore
  settings: EncodeSettings
}

/** Pause between two renewals of the lease, which also write the progress. */
const renewMs = 1_000

const unreadable = 'The file cannot be read as a video. It may be damaged or incomplete.'
const tooLarge = 'The encoded video would be larger than this installation allows.'
const tooMuchMemory = 'The recording takes more memory to convert than this installation allows.'
const tooMuchWork = 'The recording takes far longer to convert than its size explains.'
const tooLong = (maxSeconds: number) => {
  const most = maxSeconds < 7_200 ? `${Math.floor(maxSeconds / 60)} minutes` : `${Math.floor(maxSeconds / 3600)} hours`
  return `The recording is longer than ${most}, the most that this installation takes.`
}
const changed = 'The uploaded file was changed or removed after it was announced.'

type Stored = Pick<NewRendition, 'path' | 'size' | 'etag' | 'audio'>

/** Another attempt or a newer video has replaced this one, or its session was deleted. */
class OvertakenError extends Error {}

/**
 * The job that makes the rendition of a stored original: it claims the video, probes it, converts it from the object
 * store into a scratch file, stores the result and commits. It may run twice at once: each attempt writes its own objects,
 * one commits, and the other removes its objects.
 */
export function createEncodeVideo(resources: EncodeResources) {
  const { db, store, settings } = resources
  return async ({ video_id }: { video_id: number }, { signal }: Pick<JobContext, 'signal'>): Promise<void> => {
    const claim = await claimVideo(db, video_id)
    if (!claim) return
    const stop = new AbortController()
    const either = AbortSignal.any([signal, stop.signal])
    let progress = 0
    const renewing = setInterval(() => {
      renew(db, claim, progress)
        .then((isCurrent) => isCurrent || stop.abort(new OvertakenError()))
        // If the lease expires while the database is down, the commit finds another attempt and changes nothing.
        .catch(() => {})
    }, renewMs)
    const scratch: ScratchFile[] = []
    try {
      const video = await openScratchFile(settings.scratchDirectory)
      scratch.push(video)
      const audio = await openScratchFile(settings.scratchDirectory)
      scratch.push(audio)
      const { hasAudio, ...result } = await convert(resources, claim, { video, audio }, either, (percent) => {
        progress = percent
      })
      const stored = await putFiles(store, claim, { video, audio: hasAudio ? audio : undefined }, either)
      if (!(await commit(db, claim, { ...stored, ...result }))) {
        await discard(store, [stored, ...(stored.audio ? [stored.audio] : [])])
      }
    } catch (error) {
      // A video that was deleted or replaced meanwhile may have lost its original, which is no error.
      const isCurrent = !stop.signal.aborted && (await renew(db, claim, progress).catch(() => true))
      if (!isCurrent) return await giveWay(db, claim)
      await release(db, claim).catch(() => {})
      throw error
    } finally {
      clearInterval(renewing)
      await Promise.all(scratch.map((file) => file.close()))
    }
  }
}

/** Records that the encode of a video was given up; false when the video was deleted. */
export const createEncodeFailed =
  (db: Database) =>
  ({ video_id }: { video_id: number }, reason: string): Promise<boolean> =>
    fail(db, video_id, reason)

/** Stores both files of this attempt under its own keys, or none. */
async function putFiles(
  store: ObjectStore,
  claim: Claim,
  files: { video: ScratchFile; audio: ScratchFile | undefined },
  signal: AbortSignal,
): Promise<Stored> {
  const put = async (path: string, { handle }: ScratchFile, contentType: string) => {
    const body = handle.createReadStream({ start: 0, autoClose: false })
    try {
      return { path, ...(await store.put(inFolder('video', path), body, { contentType, signal })) }
    } finally {
      body.destroy()
    }
  }
  const [video, audio] = await Promise.allSettled([
    put(renditionPath(claim.path, claim.attempt), files.video, 'video/mp4'),
    files.audio ? put(audioPath(claim.path, claim.videoId, claim.attempt), files.audio, 'audio/mp4') : undefined,
  ])
  if (video.status === 'fulfilled' && audio.status === 'fulfilled') {
    return { ...video.value, ...(audio.value && { audio: audio.value }) }
  }
  const [reason] = [video, audio].flatMap((put) => (put.status === 'rejected' ? [put.reason] : []))
  const left = [video, audio].flatMap((put) => (put.status === 'fulfilled' && put.value ? [put.value] : []))
  // The orphan sweep removes objects that cannot be removed now.
  await discard(store, left).catch(() => {})
  throw reason
}

const discard = (store: ObjectStore, objects: { path: string }[]): Promise<void> =>
  store.delete(objects.map(({ path }) => inFolder('video', path)))

/** Converts the original into scratch files and checks the result. Throws PermanentError because of the recording. */
async function convert(
  { store, settings }: EncodeResources,
  claim: Claim,
  files: { video: ScratchFile; audio: ScratchFile },
  signal: AbortSignal,
  onProgress: (percent: number) => void,
) {
  const { size, etag, container } = claim
  const { maxSeconds, memoryBytes } = settings
  const key = inFolder('video', claim.path)
  const head = await store.head(key)
  if (!head || head.etag !== etag || head.size !== size) throw new PermanentError(changed, { fault: 'ours' })
  const source = await openSource({ store, key, size, etag })
  try {
    const probing = { ffprobePath: settings.ffprobePath, memoryBytes, signal }
    const original = await probe(source.input, container, probing)
    const run = { ...settings, input: source.input, size, container, signal }
    const picture = await choosePicture(original, run)
    const read = async (start: number, end: number) => buffer(await store.get(key, { start, end, ifMatch: etag }))
    const isCut = picture.scan.isCut || (container === 'avi' && (await isRiffCut(size, read)))
    if (isCut) insistOnLength(picture.scan.endSeconds, picture.video.statedSeconds)
    const sound = await findAudible(original.sounds, run)
    const make = async (found: Finding) => {
      const { remux, options, audioOptions, ...how } = plan({ picture, sound, from: original.from }, found)
      const outputs = [{ options, file: files.video }]
      if (audioOptions) outputs.push({ options: audioOptions, file: files.audio })
      const { seconds } = picture.scan
      const making = runFfmpeg({ ...run, ...how, maxBytes: settings.scratchMaxBytes, onProgress, outputs, seconds })
      await making.catch((error: unknown) => {
        if (!(error instanceof FfmpegError) || source.readError()) throw error
        // What cannot be copied may still be shown, and then be encoded.
        if (error.why === 'unreadable' && remux) return make({ ...found, mustEncode: true })
        if (error.why !== 'long gap') throw error
        // The second time the sound is as good as it gets: it runs early behind a gap of hours.
        if (!found.hasLongGaps) return make({ ...found, hasLongGaps: true })
      })
    }
    await make({ mustEncode: false, hasLongGaps: false })
    if (source.readError()) throw source.readError()
    // If ffmpeg reported no error but its result cannot be read, the cause is our disk and not the original.
    const made = { path: files.video.pathFor(3), files: [files.video.handle] }
    const result = await probe(made, 'mp4', probing).catch(() => {
      throw new FfmpegError('disk full')
    })
    if ((result.seconds ?? 0) > maxSeconds) throw new PermanentError(tooLong(maxSeconds))
    return check(result)
  } catch (error) {
    throw judged(error, source, settings, signal)
  } finally {
    await source.close()
  }
}

/** The error to throw: a PermanentError if it is due to the recording, so that a retry makes no sense. */
function judged(error: unknown, source: OpenSource, { maxSeconds }: EncodeSettings, signal: AbortSignal): unknown {
  if (signal.aborted) return error
  const cause = source.readError() ?? error
  if (cause instanceof ObjectChangedError || cause instanceof ObjectMissingError)
    return new PermanentError(changed, { fault: 'ours' })
  // Half a file looks like a broken one, so ffmpeg's error means nothing.
  if (source.readError()) return cause
  if (error instanceof UnreadableError) return new PermanentError(unreadable)
  if (!(error instanceof FfmpegError)) return error
  const refusals: { [Why in FfmpegError['why']]?: string } = {
    unreadable,
    'too large': tooLarge,
    'too long': tooLong(maxSeconds),
    'too much memory': tooMuchMemory,
    'too much work': tooMuchWork,
  }
  const refusal = refusals[error.why]
  return refusal ? new PermanentError(refusal) : error
}

/** Refuses a recording of which clearly less was read than it has. Throws PermanentError. */
function insistOnLength(seconds: number, expected = 0): void {
  if (seconds >= expected * 0.97 - 2) return
  const minutes = (value: number) => `${Math.floor(value / 60)}:${String(Math.floor(value % 60)).padStart(2, '0')}`
  throw new PermanentError(
    `The recording ends early: only ${minutes(seconds)} of ${minutes(expected)} could be read. Please upload it again.`,
  )
}

/** Checks that the result is playable and shows a picture. Throws PermanentError. */
function check({ pictures, sounds, seconds }: Probe) {
  const [video] = pictures
  const isPlayable = video?.codec === 'h264' && video.statedSeconds && sounds.every(({ codec }) => codec === 'aac')
  if (!isPlayable || seconds === undefined) throw new PermanentError(unreadable)
  return { seconds, width: video.width, height: video.height, hasAudio: sounds.length > 0 }
}
