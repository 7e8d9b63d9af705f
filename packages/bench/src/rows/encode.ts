import { execFile } from 'node:child_process'
import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { type Database, openDatabase, videos } from '@playtherapy/schema'
import { desc } from 'drizzle-orm'
import { emptyBucket } from '../bucket.ts'
import { alternate, ratio } from '../measure.ts'
import type { Place } from '../place.ts'
import { uploadForm } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'

/** The state of an encode is read this often. */
const pollMs = 50

const run = promisify(execFile)
const ffmpeg = (...args: string[]) => run('ffmpeg', ['-nostdin', '-loglevel', 'error', '-y', ...args])

const bt709 = 'setparams=range=tv:colorspace=bt709:color_primaries=bt709:color_trc=bt709'
const filters = `${bt709},scale=1920:1080:out_color_matrix=bt709:out_range=tv,format=yuv420p,${bt709},setsar=1`

/** The arguments with which our worker transcodes this clip, see services/worker/src/encode/picture.ts. */
const transcode = [
  ...'-sn -dn -map_metadata -1 -map_chapters -1'.split(' '),
  ...'-c:v libx264 -preset veryfast -crf 23 -pix_fmt yuv420p'.split(' '),
  ...`-vsync vfr -enc_time_base 1:90000 -vf ${filters}`.split(' '),
  ...'-c:a aac -b:a 128k -ar 48000 -max_muxing_queue_size 4096 -movflags +faststart -f mp4'.split(' '),
]

/** The arguments for the audio rendition, which is made for a transcriber. */
const soundAlone = ['-vn', '-c:a', 'aac', '-b:a', '32k', '-ac', '1', '-ar', '16000', '-f', 'ipod']

interface Uploads {
  db: Database
  /** The upload URL of the one session. */
  url: string
  headers: Record<string, string>
}

/** Makes a clip of a minute in 1080p that browsers do not play, and one with the same picture that they do. */
async function makeClips(directory: string) {
  const [unplayable, playable] = [join(directory, 'unplayable.mp4'), join(directory, 'playable.mp4')]
  const picture = ['-f', 'lavfi', '-i', 'testsrc2=size=1920x1080:rate=24:duration=60']
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=330:duration=60', '-c:a', 'aac']
  await ffmpeg(...picture, ...sound, '-c:v', 'mpeg4', '-b:v', '8M', unplayable)
  await ffmpeg('-i', unplayable, ...transcode, playable)
  return { unplayable, playable }
}

/** Uploads a clip and waits for its rendition. Returns the seconds from the job's announcement, which is the 201. */
async function throughJob({ db, url, headers }: Uploads, file: string): Promise<number> {
  await uploadForm(url, headers, file, (await stat(file)).size)
  const began = performance.now()
  for (;;) {
    // This reads the database directly: requests to the service would slow the encode down.
    const [video] = await db.select({ state: videos.state }).from(videos).orderBy(desc(videos.id)).limit(1)
    if (video?.state === 'encoded') return (performance.now() - began) / 1000
    if (video?.state === 'failed') throw new Error('the encode failed')
    await sleep(pollMs)
  }
}

async function startWorker(place: Place, env: NodeJS.ProcessEnv) {
  return place.start({
    program: 'worker',
    env: { ...env, QUEUE_URL: await place.redis(), SCRATCH_DIRECTORY: join(place.directory, 'scratch') },
    ready: '/health/ready',
  })
}

/** The encode of a minute of 1080p, from its announcement to its end, beside the bare ffmpeg command on local files. */
export const encode: Row = {
  name: 'encode',
  async measure(place) {
    const databaseUrl = await place.database('encodes')
    const { db, close } = openDatabase({ url: databaseUrl, max: 1, applicationName: 'bench' })
    const env = await place.settings(databaseUrl)
    const media = await place.start({ program: 'media', env, ready: '/health/ready' })
    const worker = await startWorker(place, env)
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const { unplayable, playable } = await makeClips(place.directory)
    const uploads = { db, url: `${media.url}${session.path}/video`, headers: place.as(therapist) }
    const outputs = ['bare.mp4', 'bare.m4a'].map((name) => join(place.directory, name))
    const [picture = '', sound = ''] = outputs
    const samples = await alternate(
      {
        job: () => throughJob(uploads, unplayable),
        bare: async () => {
          const began = performance.now()
          await ffmpeg('-i', unplayable, ...transcode, picture, ...soundAlone, sound)
          const seconds = (performance.now() - began) / 1000
          await Promise.all(outputs.map((file) => rm(file)))
          return seconds
        },
        remux: () => throughJob(uploads, playable),
      },
      { warmUp: false },
    )
    await Promise.all([worker.stop(), media.stop()])
    await close()
    await emptyBucket(await place.bucket())
    const seconds = (sample: number) => sample
    return [
      ratio(
        { name: 'encode of 60 s in 1080p: time against bare ffmpeg', target: { most: 1.08 } },
        [samples.job, samples.bare],
        seconds,
      ),
      ratio(
        { name: 'already playable clip: time against its transcode', target: { most: 0.1 } },
        [samples.remux, samples.job],
        seconds,
      ),
    ]
  },
}
