import { emptyBucket } from '../bucket.ts'
import { type Encode, type Encodes, openEncodes } from '../encodes.ts'
import { phoneRecording } from '../ffmpeg.ts'
import { until } from '../jobs.ts'
import { figure } from '../measure.ts'
import type { Row } from '../row.ts'

/** Fourteen chunks: the sound, and the picture in 4, 8, 16 and then 30 s. */
const recordingSeconds = 320
/** The worker is killed when this share of the chunks is encoded. */
const shares = [0.25, 0.5, 0.75]
const pollMs = 20

/** Waits until this share is encoded and one chunk is being encoded. Returns how many attempts were lost so far. */
async function reached(encodes: Encodes, encode: Encode, share: number): Promise<number> {
  let lost = 0
  await until(async () => {
    const found = await encodes.chunksOf(encode)
    lost = found.lost
    // More than one would mean that the chunk of the worker before still has its lease.
    return found.encoding === 1 && found.encoded >= share * found.all
  }, pollMs)
  return lost
}

/** Work that is done twice because a worker was killed in the middle of an encode. */
export const killedWorker: Row = {
  name: 'killed-worker',
  async measure(place) {
    const encodes = await openEncodes(place, 'killed')
    const recording = await phoneRecording(place.directory, recordingSeconds)
    let worker = await encodes.startWorker()
    const encode = await encodes.upload(recording)
    const lost: number[] = []
    for (const share of shares) {
      lost.push(await reached(encodes, encode, share))
      process.kill(worker.pid, 'SIGKILL')
      worker = await encodes.startWorker()
    }
    await encodes.encoded(encode)
    lost.push((await encodes.chunksOf(encode)).lost)
    await encodes.idle()
    await worker.stop()
    await encodes.stop()
    await emptyBucket(await place.bucket())
    const about = { name: 'worker killed: chunks encoded twice', unit: 'chunks', target: { most: 1 } }
    return [
      figure(
        about,
        lost.slice(1).map((sum, n) => sum - (lost[n] ?? 0)),
      ),
    ]
  },
}
