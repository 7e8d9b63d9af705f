import { emptyBucket } from '../bucket.ts'
import { alternate, figure, ratio } from '../measure.ts'
import type { Place } from '../place.ts'
import { madeUpRecording, mebibyte, uploadForm } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'
import { uploadTus } from '../tus.ts'
import { memoryOf, type Sample, timed } from '../usage.ts'

/** A client of tus sends a request for each of these pieces. */
const pieceBytes = 32 * mebibyte
/** Bytes between two cuts of the connection. */
const cutBytes = 50 * mebibyte
/** What is lost by a cut may be one part of the multipart upload. */
const partMebibytes = 5

async function prepare(place: Place) {
  const databaseUrl = await place.database('uploads')
  const env = await place.settings(databaseUrl)
  const bucket = await place.bucket()
  const media = await place.start({ program: 'media', env, ready: '/health/ready' })
  /** Runs an upload, and removes what it stored, so that the disk does not fill up. */
  const clean = async <T>(upload: Promise<T>) => {
    const found = await upload
    await emptyBucket(bucket)
    return found
  }
  return { databaseUrl, env, media, clean }
}

/** A resumable upload of 1 GiB, whole and with cuts, beside `@tus/server` with its S3 store and our multipart route. */
export const resumable: Row = {
  name: 'resumable',
  async measure(place) {
    const { databaseUrl, env, media, clean } = await prepare(place)
    const peer = await place.start({ program: { peer: 'receiver.ts' }, args: ['tus'], env, ready: '/ready' })
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const size = 1024 * mebibyte
    const file = await madeUpRecording(place.directory, size)
    const headers = place.as(therapist)
    const form = `${media.url}${session.path}/video`
    const ours = { url: `${form}/tus`, headers, file, size }
    const repeated: number[] = []
    // Each upload is long enough to warm itself up.
    const samples = await alternate(
      {
        ours: () => clean(timed(media, () => uploadTus(ours, { pieceBytes }))),
        tus: () => clean(timed(peer, () => uploadTus({ url: `${peer.url}/files`, file, size }, { pieceBytes }))),
        form: () => clean(timed(media, () => uploadForm(form, headers, file, size))),
        cut: () => clean(timed(media, async () => repeated.push(...(await uploadTus(ours, { pieceBytes, cutBytes }))))),
      },
      { warmUp: false },
    )
    await Promise.all([media.stop(), peer.stop()])
    const name = '1 GiB by tus in pieces of 32 MiB'
    const seconds = (sample: Sample) => sample.seconds
    const against = (what: string, other: 'tus' | 'form', most: number, value: (sample: Sample) => number) =>
      ratio({ name: `${name}: ${what}`, target: { most } }, [samples.ours, samples[other]], value)
    return [
      against('time against @tus/server', 'tus', 0.85, seconds),
      against('CPU against @tus/server', 'tus', 0.85, ({ cpuSeconds }) => cpuSeconds),
      against('time against a multipart upload', 'form', 1.1, seconds),
      ratio(
        { name: `${name}, cut every 50 MiB: time against no cut`, target: { most: 1.3 } },
        [samples.cut, samples.ours],
        seconds,
      ),
      figure(
        { name: `${name}, cut every 50 MiB: sent twice a cut`, unit: 'MiB', target: { most: partMebibytes } },
        repeated.map((bytes) => bytes / mebibyte),
      ),
    ]
  },
}

/** Sixteen resumable uploads at once; a therapist may have eight. */
export const resumables: Row = {
  name: '16-resumable',
  async measure(place) {
    const { databaseUrl, media, clean } = await prepare(place)
    const size = 256 * mebibyte
    const file = await madeUpRecording(place.directory, size)
    const users = [therapist, therapist + 1]
    const uploads = await Promise.all(
      users.map(async (user) => {
        const sessions = await addSessions(databaseUrl, 8, user)
        return sessions.map(({ path }) => ({
          url: `${media.url}${path}/video/tus`,
          headers: place.as(user),
          file,
          size,
        }))
      }),
    )
    const idle = await memoryOf(media.pid, 'VmRSS')
    const send = () => Promise.all(uploads.flat().map((upload) => uploadTus(upload, { pieceBytes })))
    const { sixteen } = await alternate({ sixteen: () => clean(timed(media, send)) }, { warmUp: false })
    await media.stop()
    const above = sixteen.map(({ peakBytes }) => (peakBytes - idle) / mebibyte)
    const name = '16 uploads of 256 MiB by tus: memory above idle'
    return [figure({ name, unit: 'MiB', target: { most: 250 } }, above)]
  },
}
