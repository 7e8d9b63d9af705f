import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { createFileStore } from '@playtherapy/object-store'
import { announce, chunks, previews, renditions, rungs, sessions, videos } from '@playtherapy/schema'
import {
  forkWorker,
  type QueueBackend,
  queueBackends,
  seedSession,
  testDatabase,
  testQueue,
  until,
} from '@playtherapy/testing'
import { eq, gt } from 'drizzle-orm'
import t, { type Test } from 'tap'

/** A stored recording that takes some seconds to encode, and a way to start worker processes for it. */
async function prepare(t: Test, backend: QueueBackend) {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-crash-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const clip = join(folder, 'clip.mp4')
  const made = [
    '-f',
    'lavfi',
    '-i',
    'testsrc2=size=1280x720:rate=60:duration=8',
    '-c:v',
    'libx264',
    '-preset',
    'ultrafast',
  ]
  await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...made, clip])

  const { db, urls } = await testDatabase(t)
  const queue = testQueue(t, backend, urls.worker)
  const objects = join(folder, 'objects')
  const store = createFileStore({ directory: objects })
  const { caseId, sessionId } = await seedSession(db)
  const path = `LOCAL/${caseId}/${sessionId}/1.mp4`
  const stored = await store.put(`video/${path}`, createReadStream(clip), { contentType: 'video/mp4' })
  const [video] = await db
    .insert(videos)
    .values({ sessionId, state: 'stored', path, container: 'mp4', storedAt: new Date(), ...stored })
    .returning()
  const videoId = video?.id ?? 0
  await db.update(sessions).set({ videoId, encodingStateId: 1 })
  await announce(db, 'encode-video', { video_id: videoId })

  const scratch = join(folder, 'scratch')
  const start = () =>
    forkWorker(t, {
      DATABASE_URL: urls.worker,
      QUEUE_URL: queue.url,
      QUEUE_PREFIX: queue.prefix,
      FILE_STORE_DIRECTORY: objects,
      SCRATCH_DIRECTORY: scratch,
    })
  const state = async () => (await db.select().from(videos).where(eq(videos.id, videoId)))[0]
  const keys = async () => {
    const found: string[] = []
    for await (const { key } of store.list('video/')) found.push(key)
    return found.sort()
  }
  return { db, store, path, scratch, start, state, keys }
}

/** Process ids of a process's children. */
async function childrenOf(parent: number | undefined): Promise<number[]> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'pid=', '--ppid', String(parent)])
  return stdout.trim().split(/\s+/).map(Number)
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

async function survives(t: Test, backend: QueueBackend, signal: 'SIGKILL' | 'SIGTERM') {
  const label = `${backend}, ${signal}`
  const job = await prepare(t, backend)
  const first = job.start()
  await until('an encode under way', async () => (await job.db.$count(chunks, gt(chunks.progress, 0))) > 0)
  const programs = await childrenOf(first.pid)
  t.ok(programs.length > 0, `${label}: ffmpeg runs`)
  const gone = once(first, 'exit')
  first.kill(signal)
  await gone
  t.strictSame(await readdir(job.scratch), [], `${label}: nothing readable is left`)
  await until('the end of ffmpeg', async () => !programs.some(isAlive))
  t.equal((await job.state())?.state, 'encoding', `${label}: half done`)

  job.start()
  await until('the end', async () => (await job.db.$count(previews)) > 0)
  t.equal((await job.state())?.state, 'encoded', label)
  const [session] = await job.db.select().from(sessions)
  const [rendition] = await job.db.select().from(renditions)
  t.match(session, { encodingStateId: 3, renditionId: rendition?.id, videoLength: '00:00:08' }, label)
  const [still] = await job.db.select().from(previews)
  const made = (await job.db.select().from(rungs)).map(({ path }) => path)
  const paths = [job.path, rendition?.path, still?.posterPath, still?.storyboardPath, ...made]
  t.strictSame(await job.keys(), paths.map((path) => `video/${path}`).sort(), `${label}: each object once`)
  t.strictSame(await readdir(job.scratch), [], `${label}: nothing readable is left`)
}

// A lease has to run out in some, so all wait at once.
t.test('an encode whose worker dies is finished by the next', async (t) => {
  const signals = ['SIGKILL', 'SIGTERM'] as const
  await Promise.all(queueBackends.flatMap((backend) => signals.map((signal) => survives(t, backend, signal))))
})
