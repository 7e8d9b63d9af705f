import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@hey-api/openapi-ts'
import { operationsOf } from './operations.ts'

/**
 * Makes the generated files of the client from an OpenAPI document: the types by a library, the table of operations by
 * operations.ts. Returns their texts by name.
 */
export async function generate(document: object): Promise<Record<string, string>> {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-client-'))
  try {
    await createClient({
      input: { ...document },
      output: { path: directory, module: { extension: '.ts' } },
      plugins: ['@hey-api/typescript'],
      logs: { level: 'silent' },
    })
    const types = await readFile(join(directory, 'types.gen.ts'), 'utf8')
    const { operations, codes } = operationsOf(document)
    return { 'types.gen.ts': types, 'operations.gen.ts': operations, 'codes.gen.ts': codes }
  } finally {
    await rm(directory, { recursive: true, force: true })
  }
}
