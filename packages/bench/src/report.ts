import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isReached } from './measure.ts'
import { drawFigures } from './plot.ts'
import type { Figure } from './row.ts'

const results = fileURLToPath(new URL('../results/', import.meta.url))

const written = (value: number) => (Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(2))
const bound = ({ target }: Figure) => ('most' in target ? `≤ ${target.most}` : `≥ ${target.least}`)

/** One line of the table. */
const line = (figure: Figure) => {
  const { name, measured, unit, spread } = figure
  const reached = isReached(figure) ? 'yes' : '**no**'
  return `| ${name} | ${written(measured)} ${unit} | ${written(spread.least)}–${written(spread.most)} | ${bound(figure)} | ${reached} |`
}

/** The figures as a Markdown table. */
export const table = (figures: Figure[]): string =>
  ['| what | measured | spread | target | reached |', '|---|---|---|---|---|', ...figures.map(line), ''].join('\n')

/** The figures for programs, a row each. */
export const asJson = (figures: Figure[]): string =>
  `${JSON.stringify({ rows: figures.map((figure) => ({ ...figure, reached: isReached(figure) })) }, null, 2)}\n`

const picture = '![Each figure as a share of its target](results/figures.svg)'

/** Writes table, JSON and plot of a whole run to `results/`, and the table into this package's README, between its marks. */
export async function keepResults(figures: Figure[]): Promise<void> {
  await mkdir(results, { recursive: true })
  await writeFile(join(results, 'results.json'), asJson(figures))
  await writeFile(join(results, 'table.md'), table(figures))
  await writeFile(join(results, 'figures.svg'), drawFigures(figures))
  const readme = fileURLToPath(new URL('../README.md', import.meta.url))
  const text = await readFile(readme, 'utf8')
  const marked = /(<!-- bench -->\n)[\s\S]*?(<!-- \/bench -->)/
  await writeFile(
    readme,
    text.replace(marked, (_, begin, end) => `${begin}\n${table(figures)}\n${picture}\n\n${end}`),
  )
}
