/** A line of the plot: minutes by workers. */
export interface Line {
  name: string
  colour: string
  isDashed: boolean
  points: { workers: number; minutes: number }[]
}

const [width, height] = [1000, 520]
const [left, right, top, bottom] = [70, 270, 24, 44]

/** Draws lines on two logarithmic axes. */
export function drawLines(lines: Line[]): string {
  const all = lines.flatMap(({ points }) => points)
  const most = Math.max(...all.map(({ workers }) => workers))
  const decades = [Math.floor, Math.ceil].map((round, n) =>
    round(Math.log10((n === 0 ? Math.min : Math.max)(...all.map(({ minutes }) => minutes)))),
  )
  const [lowest = 0, highest = 1] = decades
  const x = (workers: number) => left + (Math.log2(workers) / Math.log2(most)) * (width - left - right)
  const y = (minutes: number) => top + ((highest - Math.log10(minutes)) / (highest - lowest)) * (height - top - bottom)
  const counts = [...new Set(all.map(({ workers }) => workers))]
  const across = Array.from({ length: highest - lowest + 1 }, (_, n) => 10 ** (lowest + n))
  const drawn = lines.map(({ name, colour, isDashed, points }, n) => {
    const path = points.map(({ workers, minutes }) => `${x(workers).toFixed(1)},${y(minutes).toFixed(1)}`).join(' ')
    const stroke = `stroke="${colour}" stroke-width="2"${isDashed ? ' stroke-dasharray="6 4"' : ''}`
    const place = top + 20 + n * 22
    return `<polyline points="${path}" fill="none" ${stroke}/>
<line x1="${width - right + 20}" x2="${width - right + 50}" y1="${place}" y2="${place}" ${stroke}/>
<text x="${width - right + 58}" y="${place + 4}">${name}</text>`
  })
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<rect width="${width}" height="${height}" fill="#fff"/>
${across
  .map(
    (minutes) => `<line x1="${left}" x2="${width - right}" y1="${y(minutes)}" y2="${y(minutes)}" stroke="#ddd"/>
<text x="${left - 8}" y="${y(minutes) + 4}" text-anchor="end">${minutes} min</text>`,
  )
  .join('\n')}
${counts.map((count) => `<text x="${x(count)}" y="${height - bottom + 18}" text-anchor="middle">${count}</text>`).join('\n')}
<text x="${(left + width - right) / 2}" y="${height - 8}" text-anchor="middle">workers of one core</text>
${drawn.join('\n')}
</svg>
`
}
