import { emptyBucket } from '../bucket.ts'
import { alternate, figure, ratio } from '../measure.ts'
import type { Place } from '../place.ts'
import { madeUpRecording, mebibyte, uploadForm } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'
import { uploadTus } from '../tus.ts'
import { memoryOf, type Sample, timed } from '../usage.ts'

const startMedia = async (place: Place, databaseUrl: string) =>
  place.start({
    program: 'media',
    env: await place.settings(databaseUrl),
    ready: '/health/ready',
  })

/** An upload of 1 GiB by one client, beside the SDK from disk, tus, and a server that reads it into memory first. */
export const upload: Row = {
  name: 'upload',
  async measure(place) {
    const databaseUrl = await place.database('uploads')
    const env = await place.settings(databaseUrl)
    const bucket = await place.bucket()
    const peer = (way: string) => place.start({ program: { peer: 'receiver.ts' }, args: [way], env, ready: '/ready' })
    const media = await startMedia(place, databaseUrl)
    const [sdk, tus, readAll] = await Promise.all([peer('sdk'), peer('tus'), peer('read-all')])
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const size = 1024 * mebibyte
    const file = await madeUpRecording(place.directory, size)
    const post = { method: 'POST', body: JSON.stringify({ file }) }
    const clean = async (sample: Promise<Sample>) => {
      const found = await sample
      await emptyBucket(bucket)
      return found
    }
    const url = `${media.url}${session.path}/video`
    // Each upload is long enough to warm itself up.
    const samples = await alternate(
      {
        ours: () => clean(timed(media, () => uploadForm(url, place.as(therapist), file, size))),
        sdk: () => clean(timed(sdk, () => fetch(sdk.url, post))),
        tus: () => clean(timed(tus, () => uploadTus({ url: `${tus.url}/files`, file, size }))),
        readAll: () => clean(timed(readAll, () => uploadForm(`${readAll.url}/upload`, {}, file, size))),
      },
      { warmUp: false },
    )
    await Promise.all([media, sdk, tus, readAll].map(({ stop }) => stop()))
    const against = (
      other: Exclude<keyof typeof samples, 'ours'>,
      name: string,
      most: number,
      value: (sample: Sample) => number,
    ) => ratio({ name: `upload 1 GiB: ${name}`, target: { most } }, [samples.ours, samples[other]], value)
    const seconds = (sample: Sample) => sample.seconds
    const cpu = (sample: Sample) => sample.cpuSeconds
    return [
      against('sdk', 'time against the SDK from disk', 1.1, seconds),
      against('sdk', 'CPU against the SDK from disk', 1.3, cpu),
      against('tus', 'time against tus', 0.85, seconds),
      against('tus', 'CPU against tus', 0.85, cpu),
      against('readAll', 'time against reading all first', 0.9, seconds),
      against('readAll', 'memory against reading all first', 0.2, ({ peakBytes }) => peakBytes),
    ]
  },
}

/** Sixteen uploads at once, beside one. */
export const uploads: Row = {
  name: '16-at-once',
  async measure(place) {
    const databaseUrl = await place.database('uploads')
    const bucket = await place.bucket()
    const media = await startMedia(place, databaseUrl)
    const sessions = await addSessions(databaseUrl, 16)
    const size = 256 * mebibyte
    const file = await madeUpRecording(place.directory, size)
    const idle = await memoryOf(media.pid, 'VmRSS')
    const send = ({ path }: { path: string }) =>
      uploadForm(`${media.url}${path}/video`, place.as(therapist), file, size)
    const throughput = async (paths: typeof sessions) => {
      const { seconds, peakBytes } = await timed(media, () => Promise.all(paths.map(send)))
      await emptyBucket(bucket)
      return { bytesPerSecond: (paths.length * size) / seconds, peakBytes }
    }
    const samples = await alternate(
      {
        sixteen: () => throughput(sessions),
        one: () => throughput(sessions.slice(0, 1)),
      },
      { warmUp: false },
    )
    await media.stop()
    const above = samples.sixteen.map(({ peakBytes }) => (peakBytes - idle) / mebibyte)
    return [
      figure({ name: '16 uploads of 256 MiB: memory above idle', unit: 'MiB', target: { most: 250 } }, above),
      ratio(
        { name: '16 uploads of 256 MiB: throughput against one', target: { least: 0.9 } },
        [samples.sixteen, samples.one],
        ({ bytesPerSecond }) => bytesPerSecond,
      ),
    ]
  },
}
