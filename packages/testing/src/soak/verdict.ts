import { createHash } from 'node:crypto'
import { createS3Store } from '@playtherapy/object-store'
import postgres from 'postgres'
import { disagreements } from '../agreement.ts'
import type { Place } from './place.ts'
import type { Memory, Sent } from './therapist.ts'

/** How far rows, objects, jobs and the therapists' memory agree: all lists have to be empty. */
export interface Verdict {
  acknowledged: number
  lost: string[]
  duplicated: string[]
  orphaned: string[]
  stuck: string[]
  /** Seconds from the response to an upload to the end of its encode, of all that were kept; the beginning plays sooner. */
  encodedSeconds: { count: number; median: number; longest: number }
}

interface Video {
  id: number
  path: string
  file_name: string | null
  /** When its encode was done. */
  encoded_at: Date | null
}

/** Compares everything acknowledged with what is stored, by hash if it is current, and every row with every object. */
export async function judge(place: Place, memory: Memory): Promise<Verdict> {
  const sql = postgres(place.databaseUrl, { max: 2, onnotice: () => {} })
  const store = createS3Store(place.bucket)
  try {
    const { lost, orphaned, stuck } = await disagreements(sql, store)
    const duplicated: string[] = []
    const sessions = await sql<{ id: number; video_id: number | null }[]>`select id, video_id from sessions`
    const videos = await sql<Video[]>`
      select videos.id, videos.path, file_name, renditions.created_at as encoded_at
      from videos left join renditions on video_id = videos.id`
    const scripts = await sql<{ path: string }[]>`select path from script_versions where state = 'stored'`
    const hashOf = async (key: string) => {
      const sum = createHash('sha256')
      for await (const chunk of await store.get(key)) sum.update(chunk)
      return sum.digest('hex')
    }
    const sessionIds = new Set(sessions.map(({ id }) => id))
    for (const [session, isAcknowledged] of memory.deleted) {
      if (isAcknowledged && sessionIds.has(session)) stuck.push(`session ${session} was deleted and still exists`)
    }
    const acknowledged = (kind: Sent[]) => kind.filter((sent) => sent.acknowledged)
    /** Whether a session must still exist: its deletion was never requested. */
    const kept = ({ session }: Sent) => !memory.deleted.has(session)

    const markOf = (video: Video) => video.file_name ?? video.path
    const current = new Map(sessions.map(({ id, video_id }) => [id, videos.find((video) => video.id === video_id)]))
    for (const upload of acknowledged(memory.uploads).filter(kept)) {
      const video = current.get(upload.session)
      const winner = video && memory.uploads.find(({ mark }) => mark === markOf(video))
      if (!video || !winner) lost.push(`upload ${upload.mark}: its session has no recording of ours`)
      else if (winner !== upload && winner.ended < upload.started) {
        lost.push(`upload ${upload.mark}: an older one is current`)
      } else if (winner === upload && (await hashOf(`video/${video.path}`).catch(() => '')) !== upload.sha256) {
        lost.push(`upload ${upload.mark}: other bytes`)
      }
    }
    const saved = new Map<string, number>()
    for (const { path } of scripts) {
      const sum = await hashOf(`script/${path}`).catch(() => '')
      saved.set(sum, (saved.get(sum) ?? 0) + 1)
    }
    for (const script of acknowledged(memory.scripts).filter(kept)) {
      if (!saved.has(script.sha256)) lost.push(`script ${script.mark}`)
    }
    for (const [sum, count] of saved) if (count > 1) duplicated.push(`script ${sum}`)
    const marks = new Set<string>()
    for (const video of videos) {
      if (marks.has(markOf(video))) duplicated.push(`upload ${markOf(video)}`)
      marks.add(markOf(video))
    }
    const encodedAt = new Map(videos.map((video) => [markOf(video), video.encoded_at?.getTime()]))
    const seconds = acknowledged(memory.uploads)
      .map(({ mark, ended }) => ((encodedAt.get(mark) ?? Number.NaN) - ended) / 1_000)
      .filter((each) => !Number.isNaN(each))
      .map((each) => Math.max(0, Math.round(each)))
      .toSorted((a, b) => a - b)
    const [median = 0, longest = 0] = [seconds[seconds.length >> 1], seconds.at(-1)]
    return {
      acknowledged: acknowledged([...memory.uploads, ...memory.scripts]).length,
      lost,
      duplicated,
      orphaned,
      stuck,
      encodedSeconds: { count: seconds.length, median, longest },
    }
  } finally {
    store.close()
    await sql.end()
  }
}
