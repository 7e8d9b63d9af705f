/**
 * `npm run limits [-- NAME…] [-- --programs DIR]`: runs the bundled programs inside the limits of docker-compose.yml,
 * makes every attack whose name contains one of the given words, and prints a table. `--programs` names the `.build`
 * folder of another version, to compare. The exit code is 1 when an attack broke something.
 */
import { resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildPrograms, programPath } from '@playtherapy/programs'
import { answerHelp } from '../help.ts'
import { installMissing } from '../install.ts'
import { bodyAttacks } from './attacks/bodies.ts'
import { captionAttacks } from './attacks/captions.ts'
import { crashAttacks } from './attacks/crashes.ts'
import { eventAttacks } from './attacks/events.ts'
import { exportAttacks } from './attacks/exports.ts'
import { growingAttacks } from './attacks/growing.ts'
import { importAttacks } from './attacks/imports.ts'
import { linkAttacks } from './attacks/links.ts'
import { listAttacks } from './attacks/lists.ts'
import { oddRequestAttacks } from './attacks/odd-requests.ts'
import { operatorAttacks } from './attacks/operators.ts'
import { patchAttacks } from './attacks/patches.ts'
import { playerAttacks } from './attacks/players.ts'
import { presignedAttacks } from './attacks/presigned.ts'
import { recordingAttacks } from './attacks/recordings.ts'
import { scriptAttacks } from './attacks/scripts.ts'
import { transferAttacks } from './attacks/transfers.ts'
import { tusAttacks } from './attacks/tus.ts'
import { openCgroup } from './cgroup.ts'
import { startPlace } from './place.ts'
import { type Outcome, tryAttack } from './trial.ts'
import { makeHome } from './watch.ts'

answerHelp(`npm run limits -- [NAME…] [--programs DIR]

Attacks the bundled programs inside the limits of docker-compose.yml, as root, and prints a table.

  NAME            only attacks whose name contains one of these words
  --programs DIR  the .build folder of another version, to compare`)
const { values, positionals } = parseArgs({ options: { programs: { type: 'string' } }, allowPositionals: true })

/** No attack: the innocent therapist alone shows what the machine itself costs. */
const calm = {
  name: 'calm',
  what: 'nobody attacks',
  prepare: async () => () => sleep(10_000, 'nothing'),
}
const attacks = [
  calm,
  ...bodyAttacks,
  ...transferAttacks,
  ...listAttacks,
  ...scriptAttacks,
  ...patchAttacks,
  ...recordingAttacks,
  ...presignedAttacks,
  ...linkAttacks,
  ...oddRequestAttacks,
  ...playerAttacks,
  ...captionAttacks,
  ...growingAttacks,
  ...tusAttacks,
  ...eventAttacks,
  ...exportAttacks,
  ...importAttacks,
  ...operatorAttacks,
  ...crashAttacks,
]
const chosen = attacks.filter(({ name }) => positionals.length === 0 || positionals.some((word) => name.includes(word)))
if (chosen.length === 0)
  throw new Error(`No attack has such a name. There are: ${attacks.map(({ name }) => name).join(', ')}`)

const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll('\n', ' ')

function row({ attack, seen, experience, peak, loop, oomKills, errorLines, damage }: Outcome): string {
  const failed = Object.values(experience.failed).reduce((total, count) => total + count, 0)
  const cells = [
    `${attack.name}: ${attack.what}`,
    seen.slice(0, 400),
    `${failed} of ${experience.asked}`,
    `${experience.slowestMs}`,
    peak,
    `${oomKills}`,
    `${loop} (${experience.machineMs})`,
    `${errorLines}`,
    damage.length === 0 ? 'ok' : `**broken**: ${damage.join('; ')}`,
  ]
  return `| ${cells.map(cell).join(' | ')} |`
}

try {
  await (await openCgroup('probe', { memoryBytes: 2 ** 28, cpus: 1 })).remove()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exit(1)
}
await installMissing()
if (!values.programs) await buildPrograms()
const place = await startPlace(resolve(values.programs ?? resolve(programPath('contents'), '../..')))
process.once('SIGINT', () => place.stop().finally(() => process.exit(1)))
const stage = await place.openStage()
const home = await makeHome(stage)
await stage.close()

console.log(
  '| attack | seen | others’ failures | slowest ms | peak MiB / limit | OOM kills | event loop ms (machine) | error lines | |',
)
console.log('|---|---|---|---|---|---|---|---|---|')
let broken = 0
for (const attack of chosen) {
  try {
    const outcome = await tryAttack(place, home, attack)
    if (outcome.damage.length > 0) broken++
    console.log(row(outcome))
  } catch (error) {
    broken++
    console.log(
      `| ${attack.name}: ${attack.what} | ${cell(String(error)).slice(0, 400)} | | | | | | | **broken**: could not be prepared |`,
    )
  }
}
await place.stop()
console.log(`\n${chosen.length} attacks, ${broken} broken`)
process.exit(broken > 0 ? 1 : 0)
