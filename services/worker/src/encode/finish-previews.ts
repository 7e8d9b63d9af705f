import { PermanentError } from '@playtherapy/jobs'
import { inFolder, previewPath } from '@playtherapy/object-store'
import { openSource } from '../ffmpeg/source-server.ts'
import { judged } from './faults.ts'
import { commitPreviews, type Made } from './finish-repository.ts'
import { makePreviews } from './previews.ts'
import { discard, type EncodeResources, putAll, withScratch } from './resources.ts'
import type { VideoClaim } from './video-repository.ts'

/** The longest segment of our own encodes, in seconds; a longer one is of a copy whose key frames are far apart. */
const ownSegmentSeconds = 5
/** The shorter side in pixels up to which there is no lower rung, and every frame is decoded soon. */
const smallSide = 480

/**
 * Makes the poster and the storyboard of the smallest finished rung. Where the key frames of a large copy are far apart, they
 * wait for its lower rung. A recording of which there can be none plays without.
 */
export async function finishPreviews(
  { db, store, settings }: EncodeResources,
  claim: VideoClaim,
  { rungs, seconds, isWhole }: Made,
  signal: AbortSignal,
): Promise<void> {
  const rung = rungs.find(({ rung }) => rung === 'lower') ?? rungs.find(({ rung }) => rung === 'upper')
  if (!rung) return
  const { path: rungPath, size, etag, width, height } = rung
  const segments = rung.parts.flatMap(({ segments }) => segments)
  const longest = segments.reduce((most, [length]) => Math.max(most, length), 0)
  const isFar = longest > ownSegmentSeconds
  const isSmall = Math.min(width, height) <= smallSide
  if (isFar && !isSmall && !isWhole) return
  const source = await openSource(store, { key: inFolder('video', rungPath), size, etag })
  try {
    await withScratch(settings, 2, async ([poster, storyboard]) => {
      if (!poster || !storyboard) return
      const run = { ...settings, input: source.input(), size, signal }
      const pictures = { seconds, width, height, ...(isFar && isSmall && { keySeconds: longest }) }
      const described = await makePreviews({ ...run, ...pictures }, { poster, storyboard }).catch((error: unknown) => {
        const fault = judged(error, source, settings.maxSeconds, signal)
        if (!(fault instanceof PermanentError)) throw fault
      })
      if (!described) return
      const contentType = 'image/jpeg'
      const objects = [
        { path: previewPath(claim.original.path, claim.attempt, 'poster'), contentType, file: poster },
        { path: previewPath(claim.original.path, claim.attempt, 'storyboard'), contentType, file: storyboard },
      ]
      const [first, second] = await putAll(store, objects, signal)
      if (!first || !second) return
      const row = {
        ...{ posterPath: first.path, posterSize: first.size, posterEtag: first.etag },
        ...{ storyboardPath: second.path, storyboardSize: second.size, storyboardEtag: second.etag },
        storyboard: described,
      }
      if (!(await commitPreviews(db, claim, row))) await discard(store, [first.path, second.path])
    })
  } finally {
    await source.close()
  }
}
