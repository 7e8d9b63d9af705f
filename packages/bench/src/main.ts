/**
 * `npm run bench -- [NAME] [--json FILE]`: measures us beside peers and the limit of what is possible. A whole run in which
 * every row could be measured also updates `packages/bench/results` and the table of this package's README.
 */
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { buildPrograms } from '@playtherapy/programs'
import { answerHelp, installMissing, missingPackages } from '@playtherapy/testing'
import { circumstances } from './circumstances.ts'
import { openPlace } from './place.ts'
import { asJson, keepResults, table } from './report.ts'
import type { Figure } from './row.ts'
import { rows } from './rows/index.ts'

answerHelp(`npm run bench -- [NAME] [--json FILE]

Measures us beside peers. A whole run also updates the results and the table of packages/bench.

  NAME         only rows whose name contains it
  --json FILE  where the figures are written`)
const { values, positionals } = parseArgs({
  options: { json: { type: 'string' } },
  allowPositionals: true,
})
const [wanted = ''] = positionals
const chosen = rows.filter(({ name, isApart }) => (isApart ? name === wanted : name.includes(wanted)))
if (chosen.length === 0) throw new Error(`No such row. There are: ${rows.map(({ name }) => name).join(', ')}`)

await installMissing()
const missing = await missingPackages(['chromium', 'ffmpeg', 'nginx', 'radosgw', 'redis-server'])
if (missing.length > 0) {
  console.error(`The bench needs servers that are not installed: apt-get install ${missing.join(' ')}`)
  process.exit(2)
}
const about = await circumstances()
await buildPrograms()
const place = await openPlace()
const figures: Figure[] = []
const failed: string[] = []
for (const { name, measure } of chosen) {
  const began = performance.now()
  try {
    const found = await measure(place)
    figures.push(...found)
    console.log(`\n${name}, ${Math.round((performance.now() - began) / 1000)} s\n${table(found)}`)
  } catch (error) {
    // The other rows are measured all the same.
    failed.push(name)
    console.error(`\n${name} could not be measured:`, error)
  }
}
await place.stop()
if (values.json) await writeFile(values.json, asJson(figures, about))
if (failed.length > 0) console.error(`Not measured, so results and table stay as they are: ${failed.join(', ')}`)
else if (wanted === '') await keepResults(figures, about)
process.exit(failed.length === 0 ? 0 : 1)
