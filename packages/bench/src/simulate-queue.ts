/**
 * `npm run bench:queue`: simulates a queue of 100 recordings on 1 to 64 workers of one core, from costs that were measured
 * on one. The jobs get their turns from the statement that also the relay uses. Writes the table and the plot to
 * `packages/bench/results`.
 */
import { writeFile } from 'node:fs/promises'
import { openDatabase } from '@playtherapy/schema'
import { answerHelp } from '@playtherapy/testing'
import { quantile } from './measure.ts'
import { openPlace } from './place.ts'
import { drawLines, type Line } from './simulation/draw-lines.ts'
import { addVideos, openOutbox } from './simulation/outbox.ts'
import { recordings } from './simulation/recordings.ts'
import { run } from './simulation/run.ts'
import { inChunks, inOnePiece, type Times, type Way } from './simulation/ways.ts'

answerHelp(`npm run bench:queue

Simulates 100 recordings on 1 to 64 workers, and writes table and plot to packages/bench/results.`)

const counts = [1, 2, 4, 8, 16, 32, 64]
const place = await openPlace()
const database = openDatabase({ url: await place.database('queue'), max: 2, applicationName: 'bench' })
const outbox = openOutbox(database)
const videoIds = await addVideos(database, recordings)

async function simulate(way: Way, workers: number): Promise<Times[]> {
  const waiting = recordings.map((recording, n) => {
    const times = { playable: Number.NaN, finished: Number.NaN }
    return { ...recording, videoId: videoIds[n] ?? 0, times }
  })
  const first = waiting.map((recording) => way(recording, database))
  await run(
    workers,
    first.map((job) => ({ second: 0, job })),
    outbox,
  )
  await outbox.clear()
  return waiting.map(({ times }) => times)
}

const shown = [
  { name: 'playable, in chunks', colour: '#2a7f62', way: inChunks, time: 'playable' },
  { name: 'finished, in chunks', colour: '#2c5f9e', way: inChunks, time: 'finished' },
  { name: 'both, in one piece', colour: '#c0392b', way: inOnePiece, time: 'finished' },
] as const
const shares = [
  { name: 'p50', share: 0.5, isDashed: false },
  { name: 'p95', share: 0.95, isDashed: true },
]
const lines: Line[] = shown.flatMap(({ name, colour }) =>
  shares.map(({ name: share, isDashed }) => ({ name: `${name}, ${share}`, colour, isDashed, points: [] })),
)
for (const workers of counts) {
  const found = new Map<Way, Times[]>()
  for (const way of [inChunks, inOnePiece]) found.set(way, await simulate(way, workers))
  const minutes = shown.flatMap(({ way, time }) =>
    shares.map(
      ({ share }) =>
        quantile(
          (found.get(way) ?? []).map((times) => times[time]),
          share,
        ) / 60,
    ),
  )
  for (const [n, value] of minutes.entries()) lines[n]?.points.push({ workers, minutes: value })
}
await database.close()
await place.stop()

const written = (minutes: number) => minutes.toFixed(minutes < 10 ? 1 : 0)
const rows = counts.map(
  (count, n) => `| ${count} | ${lines.map(({ points }) => written(points[n]?.minutes ?? Number.NaN)).join(' | ')} |`,
)
const head = `| workers | ${lines.map(({ name }) => name).join(' | ')} |\n|${'---|'.repeat(lines.length + 1)}`
const table = `${[head, ...rows].join('\n')}\n`
console.log(table)
await writeFile(
  new URL('../results/queue.md', import.meta.url),
  `Minutes from the upload of 100 recordings at once:\n\n${table}`,
)
await writeFile(new URL('../results/queue.svg', import.meta.url), drawLines(lines))
process.exit(0)
