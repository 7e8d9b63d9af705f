import { type OpenDatabase, openDatabase } from '@playtherapy/schema'
import { quantile } from '../measure.ts'
import { addVideos, openOutbox } from '../simulation/outbox.ts'
import type { Recording } from '../simulation/recordings.ts'
import { run } from '../simulation/run.ts'
import { inChunks } from '../simulation/ways.ts'
import type { Habits } from './known.ts'

/** A recording, and the second of the day in which its upload is complete. */
export interface Upload extends Recording {
  second: number
}

/**
 * Appointments begin at full hours, and most after school: the share of a day's sessions by the hour in which they begin.
 * Assumed, as is the pause of up to ten minutes before a therapist uploads.
 */
const appointments: [hour: number, share: number][] = [
  ...[10, 11].map((hour): [number, number] => [hour, 0.09]),
  [13, 0.08],
  [14, 0.12],
  ...[15, 16, 17].map((hour): [number, number] => [hour, 0.15]),
  [18, 0.1],
  [19, 0.07],
]
const mostPauseSeconds = 600

/** A sequence of shares that fills the range evenly and is the same each time. */
const evenly = (n: number) => (n * 0.618_033_988_75) % 1

/** The uploads of a day, in the order in which they are complete. */
export function uploadsOfDay(clinics: number, { therapists, sessions, minutes, ...habits }: Habits): Upload[] {
  const seconds = minutes * 60
  const count = clinics * therapists * sessions
  const uploadSeconds = (habits.megabits * seconds) / habits.uplink
  let share = 0
  const ends = appointments.map(([hour, part]) => {
    share += part
    return { hour, share }
  })
  return Array.from({ length: count }, (_, n) => {
    const { hour } = ends.find((end) => (n + 0.5) / count <= end.share + 1e-9) ?? { hour: 19 }
    return {
      therapist: 1 + (n % (clinics * therapists)),
      seconds,
      isPlayable: evenly(n + 1) < habits.playable,
      second: hour * 3600 + seconds + evenly(n + 7) * mostPauseSeconds + uploadSeconds,
    }
  }).toSorted((one, other) => one.second - other.second)
}

/** How long recordings waited on so many workers, in minutes from the end of their upload. */
export interface Waited {
  workers: number
  playable: { p50: number; p95: number }
  finished: { p50: number; p95: number }
  /** Hour of the day at which the last one was finished; 26 is two in the morning after. */
  lastHour: number
}

/**
 * Simulates the uploads of a day on each of these numbers of workers, one after the other, with the turns that the relay's own
 * statement gives. The database is migrated and empty.
 */
export async function simulateDays(databaseUrl: string, uploads: Upload[], numbers: number[]): Promise<Waited[]> {
  const database: OpenDatabase = openDatabase({ url: databaseUrl, max: 2, applicationName: 'bench' })
  const outbox = openOutbox(database)
  const ids = await addVideos(database, uploads)
  const days: Waited[] = []
  for (const workers of numbers) {
    const waiting = uploads.map((upload, n) => {
      const times = { playable: Number.NaN, finished: Number.NaN }
      return { ...upload, videoId: ids[n] ?? 0, times }
    })
    const arrivals = waiting.map((upload) => ({ second: upload.second, job: inChunks(upload, database) }))
    await run(workers, arrivals, outbox)
    await outbox.clear()
    const quantiles = (time: 'playable' | 'finished') => {
      const minutes = waiting.map(({ times, second }) => (times[time] - second) / 60)
      return { p50: quantile(minutes, 0.5), p95: quantile(minutes, 0.95) }
    }
    const lastHour = Math.max(...waiting.map(({ times }) => times.finished)) / 3600
    days.push({ workers, playable: quantiles('playable'), finished: quantiles('finished'), lastHour })
  }
  await database.close()
  return days
}

/** Returns what recordings waited as a Markdown table. */
export function dayTable(days: Waited[]): string {
  const written = (value: number) => value.toFixed(value < 10 ? 1 : 0)
  const head =
    '| workers | minutes to playable, p50 | p95 | minutes to finished, p50 | p95 | all finished at |\n|---|---|---|---|---|---|'
  const time = (hour: number) => {
    const minutes = Math.ceil(hour * 60)
    const clock = `${Math.floor(minutes / 60) % 24}:${`${minutes % 60}`.padStart(2, '0')}`
    return minutes < 24 * 60 ? clock : `${clock}, ${Math.floor(minutes / 60 / 24)} d later`
  }
  const lines = days.map(
    ({ workers, playable, finished, lastHour }) =>
      `| ${workers} | ${[playable.p50, playable.p95, finished.p50, finished.p95].map(written).join(' | ')} | ${time(lastHour)} |`,
  )
  return [head, ...lines].join('\n')
}
