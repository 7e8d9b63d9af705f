import { emptyBucket } from '../bucket.ts'
import { openEncodes } from '../encodes.ts'
import { bareFfmpeg, phoneRecording, playableRecording } from '../ffmpeg.ts'
import { alternate, ratio } from '../measure.ts'
import type { Row } from '../row.ts'

const seconds = 60

/** What the same pair gave before there were chunks, at 042d3e1: 2.49 to 2.56. */
const copyBefore = 2.5

/** The encode of a minute of 1080p, from its announcement until the MP4 is there, beside the bare ffmpeg command on local files. */
export const encode: Row = {
  name: 'encode',
  async measure(place) {
    const { directory } = place
    const encodes = await openEncodes(place, 'encodes')
    const [phone, playable] = [await phoneRecording(directory, seconds), await playableRecording(directory, seconds)]
    const worker = await encodes.startWorker()
    const job = async (file: string) => {
      const encoded = await encodes.encoded(await encodes.upload(file))
      await encodes.idle()
      return encoded
    }
    const bare = async (file: string, how: 'encoding' | 'copying') => (await bareFfmpeg(directory, file, how)).seconds
    const samples = await alternate(
      {
        job: () => job(phone),
        bare: () => bare(phone, 'encoding'),
        copyJob: () => job(playable),
        bareCopy: () => bare(playable, 'copying'),
      },
      { warmUp: false },
    )
    await worker.stop()
    await encodes.stop()
    await emptyBucket(await place.bucket())
    const same = (sample: number) => sample
    return [
      ratio(
        { name: 'encode of 60 s in 1080p: time against bare ffmpeg', target: { most: 1.08 } },
        [samples.job, samples.bare],
        same,
      ),
      ratio(
        { name: 'already playable clip: time against its transcode', target: { most: 0.1 } },
        [samples.copyJob, samples.job],
        same,
      ),
      ratio(
        { name: 'already playable clip: time against bare ffmpeg', target: { most: copyBefore } },
        [samples.copyJob, samples.bareCopy],
        same,
      ),
    ]
  },
}
