import { createReadStream } from 'node:fs'
import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { createS3Store } from '@playtherapy/object-store'
import { startNginx } from '@playtherapy/testing'
import { directClient, emptyBucket } from '../bucket.ts'
import { alternate, quantile, ratio } from '../measure.ts'
import type { Place } from '../place.ts'
import { madeUpRecording, mebibyte } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addRendition, addSessions, therapist } from '../seed.ts'

/** The size of each recording. */
const recordingBytes = 128 * mebibyte
/** A viewer reads this much after each seek. */
const seekBytes = mebibyte
/** The gateway and media limit what one therapist may do, so the viewers belong to several. */
const therapists = [therapist, 8, 9, 10]
const viewersEach = 50
const seekSeconds = 3

interface Source {
  url: string
  headers: Record<string, string>
}

interface Seeks {
  bytesPerSecond: number
  p99: number
}

/** Reads a range and discards its bytes. */
function readRange({ url, headers }: Source, start: number, length: number, agent: Agent): Promise<void> {
  const range = `bytes=${start}-${start + length - 1}`
  return new Promise((resolve, reject) => {
    const request: ClientRequest = get(url, { agent, headers: { ...headers, range } }, (response: IncomingMessage) => {
      let got = 0
      response.on('data', (chunk: Buffer) => {
        got += chunk.length
      })
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 206 && got === length) resolve()
        else reject(new Error(`a range returned ${response.statusCode} with ${got} bytes of ${length}`))
      })
    })
    request.once('error', reject)
  })
}

/** Reads the same range of 64 MiB four times. Returns the seconds. */
async function readLong([source]: Source[]): Promise<number> {
  if (!source) throw new Error('no recording')
  const agent = new Agent({ keepAlive: true })
  const began = performance.now()
  for (let n = 0; n < 4; n++) await readRange(source, 32 * mebibyte, 64 * mebibyte, agent)
  agent.destroy()
  return (performance.now() - began) / 1000
}

/** Lets viewers seek at random for some seconds, each on a connection of its own. */
async function seekAround(sources: Source[]): Promise<Seeks> {
  const agent = new Agent({ keepAlive: true, maxSockets: therapists.length * viewersEach })
  const times: number[] = []
  const began = performance.now()
  const end = began + seekSeconds * 1000
  await Promise.all(
    sources
      .flatMap((source) => Array.from({ length: viewersEach }, () => source))
      .map(async (source) => {
        while (performance.now() < end) {
          const asked = performance.now()
          await readRange(source, Math.floor(Math.random() * (recordingBytes - seekBytes)), seekBytes, agent)
          times.push(performance.now() - asked)
        }
      }),
  )
  agent.destroy()
  const seconds = (performance.now() - began) / 1000
  return { bytesPerSecond: (times.length * seekBytes) / seconds, p99: quantile(times, 0.99) }
}

/** Prepares recordings that can be read in three ways: from us, through nginx, and straight from the store. */
async function stage(place: Place) {
  const databaseUrl = await place.database('playback')
  const bucket = await place.bucket()
  const env = await place.settings(databaseUrl)
  const program = 'media'
  const ready = '/health/ready'
  const [media, behind] = await Promise.all([
    place.start({ program, env, ready }),
    place.start({ program, env: { ...env, PLAYBACK_ACCEL_PREFIX: '/objects/' }, ready }),
  ])
  const nginx = await startNginx(join(place.directory, 'nginx'), { media: behind.url, store: bucket.endpoint ?? '' })
  const store = createS3Store(bucket)
  const s3 = directClient(bucket)
  const sources: Record<'ours' | 'nginx' | 'store', Source[]> = { ours: [], nginx: [], store: [] }
  const file = await madeUpRecording(place.directory, recordingBytes)
  for (const userId of therapists) {
    const [session] = await addSessions(databaseUrl, 1, userId)
    if (!session) throw new Error('no session')
    const key = await addRendition(databaseUrl, session, (key) =>
      store.put(key, createReadStream(file), { contentType: 'video/mp4' }),
    )
    const object = new GetObjectCommand({ Bucket: bucket.bucket, Key: key })
    const path = `${session.path}/video`
    const headers = place.as(userId)
    sources.ours.push({ url: media.url + path, headers })
    sources.nginx.push({ url: nginx.url + path, headers })
    sources.store.push({ url: await getSignedUrl(s3, object, { expiresIn: 3_600 }), headers: {} })
  }
  store.close()
  return {
    sources,
    async stop() {
      await nginx.stop()
      await Promise.all([media.stop(), behind.stop()])
      s3.destroy()
      await emptyBucket(bucket)
    },
  }
}

/** Playback by our process and by the gateway's nginx, beside presigned reads straight from the store. */
export const playback: Row = {
  name: 'playback',
  async measure(place) {
    const { sources, stop } = await stage(place)
    const each = <Sample>(act: (sources: Source[]) => Promise<Sample>) =>
      alternate({
        ours: () => act(sources.ours),
        nginx: () => act(sources.nginx),
        store: () => act(sources.store),
      })
    const long = await each(readLong)
    const seeks = await each(seekAround)
    await stop()
    const speed = (seconds: number) => 1 / seconds
    const throughput = ({ bytesPerSecond }: Seeks) => bytesPerSecond
    const p99 = (sample: Seeks) => sample.p99
    const [range, seeking] = ['playback of a 64 MiB range', 'playback by 200 viewers seeking']
    const through = 'through nginx'
    return [
      ratio({ name: `${range}: throughput`, target: { least: 0.55 } }, [long.ours, long.store], speed),
      ratio({ name: `${range}, ${through}: throughput`, target: { least: 0.85 } }, [long.nginx, long.store], speed),
      ratio({ name: `${seeking}: throughput`, target: { least: 0.45 } }, [seeks.ours, seeks.store], throughput),
      ratio({ name: `${seeking}: p99`, target: { most: 2 } }, [seeks.ours, seeks.store], p99),
      ratio(
        { name: `${seeking}, ${through}: throughput`, target: { least: 0.85 } },
        [seeks.nginx, seeks.store],
        throughput,
      ),
      ratio({ name: `${seeking}, ${through}: p99`, target: { most: 2 } }, [seeks.nginx, seeks.store], p99),
    ]
  },
}
