/**
 * `npm run soak -- --minutes N --queue BACKEND --from COMMIT --json FILE`: therapists upload, save, read and delete at random while
 * every part is killed in turn, the object store is slow and clocks jump; then everything acknowledged is verified. Exits with 1 if
 * anything is lost, duplicated, orphaned or stuck.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs, promisify } from 'node:util'
import { buildPrograms } from '@playtherapy/programs'
import { answerHelp } from '../help.ts'
import { wreakHavoc } from './chaos.ts'
import { startPlace } from './place.ts'
import { emptyMemory, work } from './therapist.ts'
import { judge, type Verdict } from './verdict.ts'

answerHelp(`npm run soak -- [--minutes N] [--queue BACKEND] [--from COMMIT] [--json FILE]

Therapists work while every part is killed in turn, the object store is slow and clocks jump; then everything acknowledged is verified.

  --minutes N      how long they work (default 3)
  --queue BACKEND  redis (default), with a replica and Sentinels, or postgres
  --from COMMIT    begin with the bundle of this commit, and upgrade to this one after a third of the time
  --json FILE      where the result is written`)
const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    queue: { type: 'string', default: 'redis' },
    from: { type: 'string' },
    json: { type: 'string' },
  },
})
const minutes = Number(values.minutes)
if (values.queue !== 'redis' && values.queue !== 'postgres') throw new Error('--queue must be redis or postgres')
if (!(minutes > 0)) throw new Error('--minutes must be a number above 0')

/** The reconciler removes an object without a row after this time. */
const graceSeconds = 10
/**
 * Once every part was restarted, fewer rows, objects and jobs have to disagree within this time than before, until none do: a retry is
 * put off for some minutes, and for some more by a worker whose clock has jumped; and a slow machine has encodes to catch up with.
 */
const settleMinutes = 16
const therapists = 4

/** Makes recordings: one to be remuxed, one to be transcoded, one without sound, and one of several chunks. */
async function makeClips(): Promise<Uint8Array[]> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-soak-clips-'))
  const film = async (name: string, seconds: number, ...encoder: string[]) => {
    const file = join(folder, name)
    const picture = ['-f', 'lavfi', '-i', `testsrc2=size=320x240:rate=15:duration=${seconds}`]
    await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...picture, ...encoder, file])
    return new Uint8Array(await readFile(file))
  }
  const sound = ['-f', 'lavfi', '-i', 'sine=frequency=330:duration=2', '-c:a', 'aac']
  const clips = await Promise.all([
    film('remux.mp4', 2, ...sound, '-c:v', 'libx264', '-pix_fmt', 'yuv420p', '-preset', 'ultrafast'),
    film('transcode.mp4', 2, ...sound, '-c:v', 'mpeg4'),
    film('silent.mkv', 2, '-c:v', 'mpeg4'),
    film('long.mkv', 64, '-c:v', 'mpeg4', '-g', '15'),
  ])
  await rm(folder, { recursive: true })
  return clips
}

const countOf = ({ lost, duplicated, orphaned, stuck }: Verdict) =>
  lost.length + duplicated.length + orphaned.length + stuck.length

// Each process and server is killed when this process exits.
process.setMaxListeners(30)
await buildPrograms()
const clips = await makeClips()
console.log(`Starting PostgreSQL, the queue, the object store and nine processes of ${values.from ?? 'this release'}`)
const place = await startPlace({ graceSeconds, queue: values.queue, from: values.from })
process.once('SIGINT', () => place.stop().finally(() => process.exit(1)))
process.once('SIGTERM', () => place.stop().finally(() => process.exit(1)))
const memory = emptyMemory()
const end = new AbortController()
console.log(`Working and wreaking havoc for ${minutes} minutes`)
setTimeout(() => end.abort(), minutes * 60_000)
const report = setInterval(() => {
  const count = [...memory.uploads, ...memory.scripts].filter(({ acknowledged }) => acknowledged).length
  console.log(`  ${count} acknowledged`)
}, 60_000)
const [havoc] = await Promise.all([
  wreakHavoc(place, { signal: end.signal, upgradeAfterMs: (minutes * 60_000) / 3 }),
  ...Array.from({ length: therapists }, (_, n) => work(n + 1, place, clips, memory, end.signal)),
])
clearInterval(report)

const died = await place.revive()
console.log('Every part is up; waiting until rows, objects and jobs agree')
const began = performance.now()
let verdict = await judge(place, memory)
for (let [fewest, since] = [countOf(verdict), began]; countOf(verdict) > 0; verdict = await judge(place, memory)) {
  if (countOf(verdict) < fewest) [fewest, since] = [countOf(verdict), performance.now()]
  if (performance.now() - since > settleMinutes * 60_000) break
  await sleep(5_000)
}
const seconds = Math.round((performance.now() - began) / 1000)
await place.stop()

const { acknowledged, encodedSeconds, ...disagreements } = verdict
console.log(
  `\nHurt: ${Object.entries(havoc)
    .map(([what, count]) => `${what} ${count}×`)
    .join(', ')}`,
)
console.log(`Settled after ${seconds} s\n`)
console.log('| acknowledged | lost | duplicated | orphaned | stuck |\n|---|---|---|---|---|')
const counts = Object.fromEntries(Object.entries(disagreements).map(([name, found]) => [name, found.length]))
console.log(`| ${[acknowledged, ...Object.values(counts)].join(' | ')} |`)
for (const [name, found] of Object.entries(disagreements)) {
  for (const what of found.slice(0, 20)) console.log(`${name}: ${what}`)
}
const { answered, failed, outage } = memory.waits
console.log('\nThe longest that a therapist waited, in seconds\n')
console.log('| for | answered | failed |\n|---|---|---|')
const inSeconds = (milliseconds: number | undefined) =>
  milliseconds === undefined ? '' : (milliseconds / 1_000).toFixed(1)
for (const name of [...new Set([...Object.keys(answered), ...Object.keys(failed)])].toSorted()) {
  console.log(`| ${name} | ${inSeconds(answered[name])} | ${inSeconds(failed[name])} |`)
}
for (const [name, wait] of Object.entries(outage)) {
  console.log(`| ${name}, from a failure to the next success | ${inSeconds(wait)} | |`)
}
const { count, median, longest } = encodedSeconds
console.log(`| ${count} stored uploads to be encoded, median ${median} | ${longest} | |`)
if (values.json) {
  const result = {
    acknowledged,
    ...counts,
    from: values.from,
    waitsMs: memory.waits,
    encodedSeconds,
    minutes,
    settledSeconds: seconds,
    died,
    hurt: havoc,
    refused: memory.refused,
  }
  await writeFile(values.json, `${JSON.stringify(result, null, 2)}\n`)
}
process.exit(countOf(verdict) === 0 ? 0 : 1)
