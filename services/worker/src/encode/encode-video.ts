import { buffer } from 'node:stream/consumers'
import { type JobContext, PermanentError } from '@playtherapy/jobs'
import { inFolder, type ObjectStore } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { findAudible } from '../ffmpeg/audible.ts'
import { probe } from '../ffmpeg/probe.ts'
import { isRiffCut } from '../ffmpeg/riff.ts'
import { openSource } from '../ffmpeg/source-server.ts'
import { choosePicture } from './choose-picture.ts'
import { type EncodePlan, encodePlan } from './chunk-options.ts'
import { chooseCuts } from './cut.ts'
import { createEncodeChunk } from './encode-chunk.ts'
import { insistOnLength, judged, tooLong } from './faults.ts'
import { underLease } from './lease.ts'
import { longestSegmentSeconds } from './longest-segment.ts'
import { chunksOf, toEncodePlan } from './plan.ts'
import { announceCopy, commitPlan, findCopy, findPlan, resume } from './plan-repository.ts'
import type { EncodeResources, EncodeSettings } from './resources.ts'
import { claimVideo, fail, giveWay, leaseOfVideo, type Original } from './video-repository.ts'

/** Bytes of the largest original that is copied by the job of its plan, because the next plan waits until that has ended. */
const mostCopiedBytes = 256 * 1024 ** 2

/**
 * The job that plans the encode of a stored original: it reads it once, and announces its chunks. Where there is a plan
 * already, it announces what is left of it. It may run twice at once: one attempt commits. A picture that needs no encode is
 * copied at once, while the job of the sound begins, unless it is large.
 */
export function createEncodeVideo(resources: EncodeResources) {
  const { db, store, settings } = resources
  const encodeChunk = createEncodeChunk(resources)
  return async (
    { video_id }: { video_id: number },
    { signal, log }: Pick<JobContext, 'signal' | 'log'>,
  ): Promise<void> => {
    const claim = await claimVideo(db, video_id)
    if (!claim) return
    const planned = await findPlan(db, video_id)
    if (planned !== undefined) return resume(db, claim, chunksOf(await toEncodePlan(planned)))
    const copiesHere = claim.original.size <= mostCopiedBytes
    const isMine = await underLease(leaseOfVideo(db, claim), signal, async (signal) => {
      const { plan, longestSeconds } = await inspect(store, claim.original, settings, signal)
      const targetSeconds = Math.ceil(longestSeconds)
      await commitPlan(db, claim, { plan, seconds: plan.seconds, targetSeconds, chunks: chunksOf(plan), copiesHere })
    })
    if (!isMine) return giveWay(db, video_id)
    const chunk_id = copiesHere ? await findCopy(db, video_id) : undefined
    if (chunk_id === undefined) return
    try {
      await encodeChunk({ video_id, chunk_id }, { signal })
    } catch (error) {
      // A retry would fail, too. The failure of a chunk, other than that of a plan, leaves a recording that plays as it was.
      if (error instanceof PermanentError && !claim.isEncoded) throw error
      log.warn({ err: error, chunk_id }, 'the copy in the job of the plan failed, a job of its own does it again')
      await announceCopy(db, video_id)
    }
  }
}

/** Records that the encode of a video was given up; false when the video was deleted. */
export const createEncodeFailed =
  (db: Database) =>
  ({ video_id }: { video_id: number }, reason: string): Promise<boolean> =>
    fail(db, video_id, reason)

/** Finds out how to encode an original. Throws PermanentError because of the recording. */
async function inspect(
  store: ObjectStore,
  { path, size, etag, container }: Original,
  settings: EncodeSettings,
  signal: AbortSignal,
): Promise<{ plan: EncodePlan; longestSeconds: number }> {
  const key = inFolder('video', path)
  const source = await openSource(store, { key, size, etag })
  const { maxSeconds } = settings
  try {
    const original = await probe(source.input(), container, { ...settings, signal })
    const run = { ...settings, input: source.input(), size, container, signal }
    const picture = await choosePicture(original, run)
    const read = async (start: number, end: number) => buffer(await store.get(key, { start, end, ifMatch: etag }))
    const isCut = picture.scan.isCut || (container === 'avi' && (await isRiffCut(size, read)))
    if (isCut) insistOnLength(picture.scan.endSeconds, picture.video.statedSeconds)
    const sound = await findAudible(original.sounds, run)
    const cuts = await chooseCuts({ ...run, servedBytes: source.servedBytes }, picture, original)
    if (source.readError()) throw source.readError()
    const plan = encodePlan({ container, from: original.from, picture, sound, cuts })
    if (plan.seconds > maxSeconds) throw new PermanentError(tooLong(maxSeconds))
    return { plan, longestSeconds: longestSegmentSeconds(plan, picture.times) }
  } catch (error) {
    throw judged(error, source, maxSeconds, signal)
  } finally {
    await source.close()
  }
}
