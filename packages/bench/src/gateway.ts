import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { getSignedUrl } from '@aws-sdk/s3-request-presigner'
import { createS3Store } from '@playtherapy/object-store'
import { startNginx } from '@playtherapy/testing'
import { directClient, emptyBucket } from './bucket.ts'
import type { Place } from './place.ts'
import { addSessions, therapist } from './seed.ts'
import type { Source } from './viewers.ts'

/** Bounds hold for each therapist, so the recordings belong to several. */
const therapists = [therapist, 8, 9, 10]

/** The recordings of some therapists, read in three ways: from us, through nginx, and straight from the store. */
export interface Shown {
  sources: Record<'ours' | 'nginx' | 'store', Source[]>
  stop(): Promise<void>
}

/** A session with its therapist's token. */
interface Session {
  id: number
  path: string
  headers: { authorization: string }
}

/** What kind of recording is read. */
interface Kind {
  /** The name of the database. */
  database: string
  /** Inserts the recording of a session, whose object `put` writes. Returns the object's key. */
  add(
    databaseUrl: string,
    session: Session,
    put: (key: string) => Promise<{ size: number; etag: string }>,
  ): Promise<string>
  /** Returns where a service or gateway serves it. */
  sourceOf(url: string, session: Session): Promise<Source>
}

/** Stores this file as a recording of each therapist, and starts media twice, once behind the gateway's nginx. */
export async function showRecordings(place: Place, file: string, { database, add, sourceOf }: Kind): Promise<Shown> {
  const databaseUrl = await place.database(database)
  const bucket = await place.bucket()
  const env = await place.settings(databaseUrl)
  const program = 'media'
  const ready = '/health/ready'
  const [media, behind] = await Promise.all([
    place.start({ program, env, ready }),
    place.start({ program, env: { ...env, PLAYBACK_ACCEL_PREFIX: '/objects/' }, ready }),
  ])
  const nginx = await startNginx(join(place.directory, `nginx-${database}`), {
    media: behind.url,
    store: bucket.endpoint ?? '',
  })
  const store = createS3Store(bucket)
  const s3 = directClient(bucket)
  const sources: Shown['sources'] = { ours: [], nginx: [], store: [] }
  for (const userId of therapists) {
    const [made] = await addSessions(databaseUrl, 1, userId)
    if (!made) throw new Error('no session')
    const session = { ...made, headers: place.as(userId) }
    const put = (key: string) => store.put(key, createReadStream(file), { contentType: 'video/mp4' })
    const key = await add(databaseUrl, session, put)
    const object = new GetObjectCommand({ Bucket: bucket.bucket, Key: key })
    sources.ours.push(await sourceOf(media.url, session))
    sources.nginx.push(await sourceOf(nginx.url, session))
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
