import { readFile } from 'node:fs/promises'

const file = new URL('../../../../.docker/observability/runbook.md', import.meta.url)

/** The paragraph of each alert, in one line. */
export async function paragraphs(): Promise<Map<string, string>> {
  const parts = (await readFile(file, 'utf8')).split(/^## .*$|^### /m).slice(1)
  return new Map(
    parts.map((part) => {
      const [name = '', ...rest] = part.split('\n')
      return [name, rest.join('\n').replace(/\s*\n\s*/g, ' ')]
    }),
  )
}
