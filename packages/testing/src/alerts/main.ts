/**
 * `npm run alerts -- [NAME…]`: makes a real fault for each alert, waits until a real Prometheus fires it, follows the paragraph of the
 * runbook by its own commands, and waits until it ends. Prints the table of `.docker/observability/faults.md`.
 */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { buildPrograms } from '@playtherapy/programs'
import { answerHelp } from '../help.ts'
import { missingPackages } from '../install.ts'
import { openShell } from './compose.ts'
import type { Fault, Place } from './fault.ts'
import { serverFaults } from './faults-servers.ts'
import { workFaults } from './faults-work.ts'
import { paragraphs } from './runbook.ts'
import { startStack } from './stack.ts'
import { therapist } from './therapist.ts'

answerHelp(`npm run alerts -- [NAME…]

Makes a real fault for each alert, or for these, and follows the runbook. Needs root, for a small disk, and takes half an hour.`)

/** The longest time until an alert fires, and until it ends. */
const patienceMs = 900_000

async function makeClips(): Promise<Place['clips']> {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-alerts-clips-'))
  const film = async (name: string, seconds: number, size: string) => {
    const file = join(folder, name)
    const picture = [
      '-f',
      'lavfi',
      '-i',
      `testsrc2=size=${size}:rate=10:duration=${seconds}`,
      '-c:v',
      'mpeg4',
      '-g',
      '10',
    ]
    await promisify(execFile)('ffmpeg', ['-loglevel', 'error', ...picture, file])
    return new Uint8Array(await readFile(file))
  }
  const clips = { short: await film('short.mkv', 2, '320x240'), long: await film('long.mkv', 600, '160x120') }
  await rm(folder, { recursive: true })
  return clips
}

process.setMaxListeners(0)
const missing = await missingPackages([
  'curl',
  'ffmpeg',
  'nginx',
  'prometheus',
  'psql',
  'radosgw',
  'redis-cli',
  'redis-server',
])
if (missing.length > 0) throw new Error(`These are missing: ${missing.join(', ')}`)
await buildPrograms()
const clips = await makeClips()
const runbook = await paragraphs()
const stack = await startStack()
await promisify(execFile)('mount', ['-t', 'tmpfs', '-o', 'size=256m', 'alerts', stack.scratch])
const shell = await openShell(stack)
const stop = async () => {
  shell.close()
  await stack.stop().catch(() => {})
  await promisify(execFile)('umount', ['-l', stack.scratch]).catch(() => {})
  await rm(stack.directory, { recursive: true, force: true })
}
process.once('SIGINT', () => stop().finally(() => process.exit(1)))
process.once('SIGTERM', () => stop().finally(() => process.exit(1)))

const place: Place = {
  stack,
  clips,
  therapist: await therapist(stack, 7),
  run: shell.run,
  repeat(what, pauseMs) {
    let isOver = false
    const running = (async () => {
      while (!isOver) {
        await what().catch(() => {})
        await sleep(pauseMs)
      }
    })()
    return async () => {
      isOver = true
      await running
    }
  },
}

const secondsSince = (start: number) => Math.round((Date.now() - start) / 1_000)

/** Waits until these alerts fire, or none of them does, and returns the seconds until each. */
async function waitFor(alerts: string[], fire: boolean): Promise<Map<string, number>> {
  const start = Date.now()
  const seen = new Map<string, number>()
  while (Date.now() - start < patienceMs) {
    // While Prometheus ends, nothing fires.
    const firing = await stack.prometheus.firing().catch((): string[] => [])
    for (const alert of alerts) {
      if (firing.includes(alert) !== fire) {
        if (!fire) seen.delete(alert)
      } else if (!seen.has(alert)) seen.set(alert, secondsSince(start))
    }
    if (seen.size === alerts.length) return seen
    await sleep(500)
  }
  return seen
}

/** A command with what an earlier one has shown, and a complaint unless the paragraph has it word by word. */
async function follow(fault: Fault, problems: string[]): Promise<string> {
  const paragraph = fault.alerts.map((alert) => runbook.get(alert) ?? '').join(' ')
  const all = [...runbook.values()].join(' ')
  let shown = ''
  let pid = ''
  for (const [command, shows] of fault.look) {
    if (!paragraph.includes(command) && !all.includes(command)) problems.push(`the paragraph has no: ${command}`)
    const printed = await shell.run(command)
    const found = shows.exec(printed)
    if (!found) problems.push(`${command} did not show ${shows}, but: ${printed.slice(0, 300)}`)
    pid = found?.[1] ?? pid
    shown += printed
  }
  await fault.mendFirst?.(place)
  for (const command of fault.commands) {
    if (!all.includes(command)) problems.push(`the paragraph has no: ${command}`)
    const printed = await shell.run(command.replace('PID', pid))
    if (/stands for nothing|^Error/.test(printed)) problems.push(`${command}: ${printed.slice(0, 300)}`)
  }
  return shown
}

const wanted = process.argv.slice(2)
const chosen = [...serverFaults, ...workFaults].filter(
  ({ alerts }) => wanted.length === 0 || alerts.some((alert) => wanted.includes(alert)),
)
const rows: string[] = []
let failures = 0
await sleep(15_000)
for (const fault of chosen) {
  const problems: string[] = []
  const before = await stack.prometheus.firing()
  await fault.make(place).catch((error: unknown) => problems.push(`the fault could not be made: ${error}`))
  const fired = await waitFor(fault.alerts, true)
  for (const alert of fault.alerts) {
    if (!fired.has(alert)) problems.push(`${alert} did not fire`)
    if (before.includes(alert)) problems.push(`${alert} fired before`)
  }
  // Lines of the log and probes come every few seconds.
  await fetch(`${stack.containers.media.url}/health/ready`).catch(() => {})
  await Promise.all(
    Object.values(stack.containers).map(({ url }) =>
      fetch(`${url}/health/ready`, { signal: AbortSignal.timeout(5_000) }).catch(() => {}),
    ),
  )
  const alsoFires = (await stack.prometheus.firing()).filter((alert) => !fault.alerts.includes(alert))
  const start = Date.now()
  const shown = await follow(fault, problems)
  await fault.mend?.(place, shown)
  const ended = await waitFor(fault.alerts, false)
  for (const alert of fault.alerts) if (!ended.has(alert)) problems.push(`${alert} did not end`)
  failures += problems.length
  const times = fault.alerts.map((alert) => `${alert} ${fired.get(alert) ?? '-'}`).join(', ')
  rows.push(`| ${times} | ${fault.made} | ${secondsSince(start)} | ${fault.ended} |`)
  console.log(rows.at(-1), alsoFires.length > 0 ? `also: ${[...new Set(alsoFires)].join(', ')}` : '')
  for (const problem of problems) console.log(`  PROBLEM ${problem}`)
}
await stop()
console.log(
  `\n| alerts, seconds until each fired | fault | seconds until all ended | what following the runbook did |\n|---|---|---|---|\n${rows.join('\n')}`,
)
process.exit(failures > 0 ? 1 : 0)
