import { createHash } from 'node:crypto'
import { createS3Store } from '@playtherapy/object-store'
import postgres from 'postgres'
import type { Place } from './place.ts'
import type { Memory, Sent } from './therapist.ts'

/** How rows, objects, jobs and the therapists' memory agree. Everything but the first is to be empty. */
export interface Verdict {
  acknowledged: number
  lost: string[]
  duplicated: string[]
  orphaned: string[]
  stuck: string[]
}

interface Video {
  id: number
  session_id: number
  state: string
  path: string
  file_name: string | null
}

/** Compares what was acknowledged with what is there, byte by byte where it counts, and every row with every object. */
export async function judge(place: Place, memory: Memory): Promise<Verdict> {
  const sql = postgres(place.databaseUrl, { max: 2, onnotice: () => {} })
  const store = createS3Store(place.bucket)
  try {
    const sessions = await sql<{ id: number; video_id: number | null; encoding_state_id: number }[]>`
      select id, video_id, encoding_state_id from sessions`
    const videos = await sql<Video[]>`select id, session_id, state::text, path, file_name from videos`
    const scripts = await sql<{ path: string; state: string; session_id: number }[]>`
      select path, state::text, session_id from script_versions`
    const renditions = await sql<{ path: string }[]>`select path from renditions`
    const jobs = await sql<{ name: string; failure: string | null }[]>`
      select name, failure from outbox where available_at <= now()`
    const objects = new Set<string>()
    for await (const { key } of store.list('')) objects.add(key)
    const hashOf = async (key: string) => {
      const sum = createHash('sha256')
      for await (const chunk of await store.get(key)) sum.update(chunk)
      return sum.digest('hex')
    }

    const verdict: Verdict = { acknowledged: 0, lost: [], duplicated: [], orphaned: [], stuck: [] }
    const { lost, duplicated, orphaned, stuck } = verdict
    const sessionIds = new Set(sessions.map(({ id }) => id))
    const acknowledged = (kind: Sent[]) => kind.filter((sent) => sent.acknowledged)
    verdict.acknowledged = acknowledged([...memory.uploads, ...memory.scripts]).length
    /** Whether a session must still be there: its deletion was never asked for. */
    const kept = ({ session }: Sent) => !memory.deleted.has(session)
    for (const [session, sure] of memory.deleted) {
      if (sure && sessionIds.has(session)) stuck.push(`session ${session} was deleted and is there`)
    }

    const markOf = (video: Video) => video.file_name ?? video.path
    const current = new Map(
      sessions.map(({ id, video_id }) => [id, videos.find((video) => video.id === video_id)] as const),
    )
    for (const upload of acknowledged(memory.uploads).filter(kept)) {
      const counts = current.get(upload.session)
      const winner = counts && memory.uploads.find(({ mark }) => mark === markOf(counts))
      if (!sessionIds.has(upload.session)) lost.push(`session ${upload.session}`)
      else if (!counts || !winner) lost.push(`upload ${upload.mark}: its session has no recording of ours`)
      else if (winner !== upload && winner.ended < upload.started) {
        lost.push(`upload ${upload.mark}: an older one counts`)
      } else if (winner === upload && (await hashOf(`video/${counts.path}`).catch(() => '')) !== upload.sha256) {
        lost.push(`upload ${upload.mark}: other bytes`)
      }
    }
    const hashes = new Map<string, number>()
    for (const { path, state } of scripts) {
      if (state !== 'stored') stuck.push(`script ${path} is ${state}`)
      else if (objects.has(`script/${path}`)) {
        const sum = await hashOf(`script/${path}`)
        hashes.set(sum, (hashes.get(sum) ?? 0) + 1)
      }
    }
    for (const script of acknowledged(memory.scripts).filter(kept)) {
      if (!hashes.has(script.sha256)) lost.push(`script ${script.mark}`)
    }
    for (const [sum, count] of hashes) if (count > 1) duplicated.push(`script ${sum}`)
    const marks = new Set<string>()
    for (const video of videos) {
      if (marks.has(markOf(video))) duplicated.push(`upload ${markOf(video)}`)
      marks.add(markOf(video))
    }

    const needed = [
      ...videos
        .filter(({ state }) => !['presigned', 'receiving', 'superseded'].includes(state))
        .map(({ path }) => path),
      ...renditions.map(({ path }) => path),
    ].map((path) => `video/${path}`)
    needed.push(...scripts.filter(({ state }) => state === 'stored').map(({ path }) => `script/${path}`))
    for (const key of needed) if (!objects.has(key)) lost.push(`object ${key}`)
    const owned = new Set([...needed, ...videos.map(({ path }) => `video/${path}`)])
    for (const key of objects) if (!owned.has(key)) orphaned.push(key)

    for (const { id, encoding_state_id: state } of sessions) {
      if (![3, 5].includes(state)) stuck.push(`session ${id} encoding ${state}`)
    }
    for (const { id, state } of videos) {
      if (['receiving', 'stored', 'encoding', 'failed'].includes(state)) stuck.push(`video ${id} ${state}`)
    }
    for (const { name, failure } of jobs) stuck.push(`job ${name}${failure ? `: ${failure}` : ''}`)
    return verdict
  } finally {
    store.close()
    await sql.end()
  }
}
