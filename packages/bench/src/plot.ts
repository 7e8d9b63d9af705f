import { isReached } from './measure.ts'
import type { Figure } from './row.ts'

const escapeXml = (text: string) =>
  text.replace(/[<>&"]/g, (sign) => ({ '<': '&lt;', '>': '&gt;', '&': '&amp;', '"': '&quot;' })[sign] ?? sign)

const width = 1000
const left = 460
const right = 90
const rowHeight = 22
const top = 44
/** Bars end at this multiple of the target. */
const mostTargets = 2

/**
 * Draws each figure as a share of its target: a bar for the median, a line for the spread. If more is better, the share
 * is inverted, so that shorter bars are better everywhere.
 */
export function drawFigures(figures: Figure[]): string {
  const x = (share: number) => left + (Math.max(0, Math.min(share, mostTargets)) / mostTargets) * (width - left - right)
  const rows = figures.map((figure, index) => {
    const { target, measured, spread } = figure
    const share = (value: number) => ('most' in target ? value / target.most : target.least / value)
    const [a, b] = [x(share(spread.least)), x(share(spread.most))]
    const y = top + index * rowHeight
    const colour = isReached(figure) ? '#2a7f62' : '#c0392b'
    const shown = `${measured >= 100 ? measured.toFixed(0) : measured.toFixed(2)} ${figure.unit}`
    return [
      `<text x="${left - 8}" y="${y + 14}" text-anchor="end">${escapeXml(figure.name)}</text>`,
      `<rect x="${left}" y="${y + 4}" width="${(x(share(measured)) - left).toFixed(1)}" height="13" fill="${colour}"/>`,
      `<line x1="${a.toFixed(1)}" x2="${b.toFixed(1)}" y1="${y + 10.5}" y2="${y + 10.5}" stroke="#222" stroke-width="1.5"/>`,
      `<text x="${width - right + 6}" y="${y + 14}">${escapeXml(shown)}</text>`,
    ].join('\n')
  })
  const height = top + figures.length * rowHeight + 12
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
<text x="${x(1)}" y="20" text-anchor="middle">the target</text>
<text x="${left}" y="20">← better</text>
<line x1="${x(1)}" x2="${x(1)}" y1="28" y2="${height - 8}" stroke="#888" stroke-dasharray="4 3"/>
${rows.join('\n')}
</svg>
`
}
