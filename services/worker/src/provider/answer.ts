import { ajvOptions, parseJson } from '@playtherapy/service-kit'
import { Ajv } from 'ajv'
import type { Static, TSchema } from 'typebox'

export const ajv = new Ajv(ajvOptions)

/**
 * Parses a text as JSON of this schema. `problem` says in a few words what is wrong with it, and can be sent back. JSON
 * that our own routes would refuse is refused here too.
 */
export function readAnswer<S extends TSchema>(text: string, schema: S): { value: Static<S> } | { problem: string } {
  let value: unknown
  try {
    value = parseJson(Buffer.from(text), [])
  } catch {
    return { problem: 'it is not JSON that can be stored' }
  }
  if (ajv.validate<Static<S>>(schema, value)) return { value }
  const [error] = ajv.errors ?? []
  return { problem: `${error?.instancePath || 'the document'} ${error?.message}`.slice(0, 300) }
}
