import { emptyBucket } from '../bucket.ts'
import { type Encode, type Encodes, openEncodes } from '../encodes.ts'
import { bareFfmpeg, phoneRecording } from '../ffmpeg.ts'
import { until } from '../jobs.ts'
import { linksRequest, playlistOf } from '../links.ts'
import { alternate, figure, ratio } from '../measure.ts'
import { openPlayer, type Player } from '../player.ts'
import type { Row } from '../row.ts'
import { watch } from '../usage.ts'

const recordingSeconds = 600
/** The core of a worker that is alone, and of bare ffmpeg. */
const core = 0
/** A client asks this often whether a recording can be played. */
const askMs = 250
const firstFrames = 5
/** Whole encodes take many minutes. */
const wholeRounds = 1

interface Whole {
  /** From the 201 until the MP4 is there. */
  seconds: number
  /** CPU of all that is made, also after the MP4: with the rungs and previews. */
  cpuSeconds: number
}

/** Waits until a recording can be played, and plays it. Returns the seconds from the 201 to the first frame. */
async function firstFrame({ media, headers }: Encodes, player: Player, { path, beganMs }: Encode): Promise<number> {
  const request = linksRequest(media.url, { path, headers })
  let playlist: string | undefined
  await until(async () => {
    playlist = await playlistOf(media.url, request)
    return playlist !== undefined
  }, askMs)
  await player.firstFrame(playlist ?? '')
  return (performance.now() - beganMs) / 1000
}

/** Uploads a recording and plays it as soon as that is possible, then deletes it. */
async function soonest(encodes: Encodes, player: Player, recording: string): Promise<number> {
  const encode = await encodes.upload(recording)
  const seconds = await firstFrame(encodes, player, encode)
  const { media, headers } = encodes
  const deleted = await fetch(`${media.url}${encode.path}/video`, { method: 'DELETE', headers })
  if (!deleted.ok) throw new Error(`the deletion returned ${deleted.status}`)
  await encodes.idle()
  return seconds
}

/** Lets a worker on each of these cores encode a recording. */
async function whole(encodes: Encodes, recording: string, cores: number[]): Promise<Whole> {
  const workers = await Promise.all(cores.map((core) => encodes.startWorker(core)))
  const watches = await Promise.all(workers.map(({ pid }) => watch(pid)))
  const seconds = await encodes.encoded(await encodes.upload(recording))
  await encodes.idle()
  const usages = await Promise.all(watches.map((usage) => usage()))
  await Promise.all(workers.map((worker) => worker.stop()))
  return { seconds, cpuSeconds: usages.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0) }
}

/**
 * A recording of ten minutes by a phone: how soon it plays in a browser while it is encoded, and what the whole encode takes,
 * beside bare ffmpeg that makes the same in one pass, and with a second worker.
 */
export const tenMinutes: Row = {
  name: 'ten-minutes',
  async measure(place) {
    const bucket = await place.bucket()
    const encodes = await openEncodes(place, 'ten_minutes')
    const recording = await phoneRecording(place.directory, recordingSeconds)
    const player = await openPlayer(encodes.media.url)
    const worker = await encodes.startWorker(core)
    const soon: number[] = []
    for (let n = 0; n < firstFrames; n++) soon.push(await soonest(encodes, player, recording))
    await Promise.all([worker.stop(), player.stop()])
    const wholes = await alternate(
      {
        bare: () => bareFfmpeg(place.directory, recording, 'encoding', core),
        one: () => whole(encodes, recording, [core]),
        two: () => whole(encodes, recording, [core, core + 1]),
      },
      { rounds: wholeRounds, warmUp: false },
    )
    await encodes.stop()
    await emptyBucket(bucket)
    const about = '10 min in HEVC'
    const [bareSeconds = Number.NaN] = wholes.bare.map(({ seconds }) => seconds)
    return [
      figure({ name: `${about}: 201 to the first frame`, unit: 's', target: { most: 15 } }, soon),
      ratio(
        { name: `${about}: 201 to the first frame, against the whole encode`, target: { most: 0.1 } },
        [soon, soon.map(() => bareSeconds)],
        (seconds) => seconds,
      ),
      ratio(
        { name: `${about}: CPU against bare ffmpeg`, target: { most: 1.1 } },
        [wholes.one, wholes.bare],
        ({ cpuSeconds }) => cpuSeconds,
      ),
      ratio(
        { name: `${about}: time on two workers, against one`, target: { most: 0.55 } },
        [wholes.two, wholes.one],
        ({ seconds }) => seconds,
      ),
    ]
  },
}
