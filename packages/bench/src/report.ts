import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Circumstances } from './circumstances.ts'
import { isReached } from './measure.ts'
import { drawFigures } from './plot.ts'
import type { Figure } from './row.ts'

const results = fileURLToPath(new URL('../results/', import.meta.url))

const written = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2))
const bound = ({ target }: Figure) => ('most' in target ? `≤ ${target.most}` : `≥ ${target.least}`)

/** Returns whether the median reaches the target, and how many rounds do if not all agree: `yes (4 of 5)`. */
function verdict(figure: Figure): string {
  const { all, reaching } = figure.rounds
  const word = isReached(figure) ? 'yes' : '**no**'
  return reaching === 0 || reaching === all ? word : `${word} (${reaching} of ${all})`
}

const line = (figure: Figure) => {
  const { name, measured, unit, spread } = figure
  const reached = verdict(figure)
  return `| ${name} | ${written(measured)} ${unit} | ${written(spread.least)}–${written(spread.most)} | ${bound(figure)} | ${reached} |`
}

/** Returns the figures as a Markdown table. */
export const table = (figures: Figure[]): string =>
  ['| what | measured | spread | target | reached |', '|---|---|---|---|---|', ...figures.map(line), ''].join('\n')

/** Returns the figures and the circumstances of their run as JSON. */
export const asJson = (figures: Figure[], circumstances: Circumstances): string =>
  `${JSON.stringify({ ...circumstances, rows: figures.map((figure) => ({ ...figure, reached: isReached(figure) })) }, null, 2)}\n`

/** Returns the circumstances as the sentence above the table. */
function sentence({ date, version, commit, versions, machine }: Circumstances): string {
  const programs = Object.entries(versions).map(([name, number]) => `${name} ${number}`)
  return `Measured on ${date} at ${version} (${commit}), ${machine}; ${programs.join(', ')}.`
}

const picture = '![Each figure as a share of its target](results/figures.svg)'

/** Writes table, JSON and plot of a whole run to `results/`, and the table into this package's README. */
export async function keepResults(figures: Figure[], circumstances: Circumstances): Promise<void> {
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'results.json'), asJson(figures, circumstances))
  await writeFile(join(results, 'table.md'), table(figures))
  await writeFile(join(results, 'figures.svg'), drawFigures(figures))
  const readme = fileURLToPath(new URL('../README.md', import.meta.url))
  const text = await readFile(readme, 'utf8')
  const marked = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/
  await writeFile(
    readme,
    text.replace(
      marked,
      (_, begin, end) => `${begin}\n${sentence(circumstances)}\n\n${table(figures)}\n${picture}\n\n${end}`,
    ),
  )
}
