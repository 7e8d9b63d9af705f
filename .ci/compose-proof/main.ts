/**
 * Proves docker-compose.yml on the images at hand: journey, refusals, backup, scaling, deaths, upgrade, restart, and a
 * large upload.
 * usage: main.ts PROJECT ENV_FILE CLIPS_DIRECTORY, with `docker` and `docker-compose` on the PATH. Brings the stack up and
 * leaves it up.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { backUpAndRestore } from './backup.ts'
import { createClient } from './client.ts'
import { killEach } from './deaths.ts'
import { consoleServed, journey, presigned, refusals } from './journey.ts'
import type { Proof } from './proof.ts'
import { fromFile } from './recordings.ts'
import { largeUpload, shareOut } from './scale.ts'
import { openStack } from './stack.ts'
import { upgrade } from './upgrade.ts'

const [project = '', envFile = '', clips = ''] = process.argv.slice(2)
const root = join(import.meta.dirname, '../..')
const settings = new Map(
  readFileSync(envFile, 'utf8')
    .split('\n')
    .map((line): [string, string] => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]),
)
const stack = openStack(project, envFile, root)
const client = createClient(settings.get('S3_PUBLIC_ENDPOINT') ?? '', settings.get('JWT_SECRET') ?? '')
const proof: Proof = {
  stack,
  client,
  quick: fromFile(join(clips, 'remux.mp4')),
  long: fromFile(join(clips, 'transcode.mp4')),
  kept: new Map(),
  directory: clips,
}

async function step(name: string, work: () => Promise<unknown>) {
  const started = performance.now()
  const note = await work()
  console.log(
    `ok - ${name} (${((performance.now() - started) / 1000).toFixed(1)} s)${typeof note === 'string' ? `: ${note}` : ''}`,
  )
}
const memory = stack.watchMemory()
try {
  await step('nothing starts with the example settings', async () => {
    const example = openStack(project, join(root, '.docker/example.env'), root)
    const refused = await example.compose('config').then(
      () => false,
      (error: Error) => error.message.includes('fill in .env'),
    )
    if (!refused) throw new Error('the example settings were accepted')
  })
  await step('Compose has no warnings', async () => {
    const warnings = await stack.warnings()
    if (warnings) throw new Error(warnings)
  })
  const up = (...args: string[]) => stack.compose('up', '-d', '--no-build', ...args)
  await step('up from nothing', async () => {
    await up()
    await Promise.all(['gateway', 'worker'].map((service) => stack.healthy(service)))
  })
  await step('case, session, upload, encode, playback, script, report, deletion', () => journey(proof))
  await step('presigned upload from outside', () => presigned(proof))
  await step('refusals and logs', () => refusals(proof))
  await step('console', () => consoleServed(proof))
  await step('backup, everything lost, restore', () => backUpAndRestore(proof))
  const replicas = ['--scale', 'worker=4', '--scale', 'media=2', '--scale', 'script=2']
  await step('four workers, two replicas of media and script', async () => {
    await up(...replicas)
    await Promise.all(['worker', 'media', 'script'].map((service) => stack.healthy(service)))
  })
  await step('16 encodes', () => shareOut(proof))
  await step('one of each kind killed during uploads', () => killEach(proof))
  await step('every container of ours replaced, as an upgrade does', () => upgrade(proof))
  await step('down and up again, everything still there', async () => {
    await stack.compose('down')
    await up(...replicas)
    await Promise.all(['gateway', 'worker'].map((service) => stack.healthy(service)))
    for (const [session, rendition] of proof.kept) {
      if (!rendition.equals(await client.play(session))) throw new Error(`another recording at ${session.path}`)
    }
    return `${proof.kept.size} recordings`
  })
  await step('a recording of 5 GiB', () => largeUpload(proof))
  await step('no container ran out of memory', async () => {
    // What is killed for its memory starts again, and then counts as a restart.
    const starved = (await stack.containers()).filter(({ outOfMemory, restarts }) => outOfMemory || restarts > 0)
    if (starved.length > 0) throw new Error(starved.map(({ name }) => name).join(', '))
    const peaks = [...memory.peaks()].sort().map(([name, bytes]) => `${name} ${Math.round(bytes / 1024 ** 2)}`)
    return `peaks in MiB: ${peaks.join(', ')}`
  })
} finally {
  memory.stop()
}
