import { ajvOptions, parseJson } from '@playtherapy/service-kit'
import { Ajv } from 'ajv'
import type { Static, TSchema } from 'typebox'

/** What checks anything that comes from outside of us here. */
export const ajv = new Ajv(ajvOptions)

/**
 * A text as JSON of this schema, or what is wrong with it, in a few words that can be sent back. It is read as strictly
 * as a request: what nobody could save may not come in here.
 */
export function readAnswer<S extends TSchema>(text: string, schema: S): { value: Static<S> } | { fault: string } {
  let value: unknown
  try {
    value = parseJson(Buffer.from(text), [])
  } catch {
    return { fault: 'it is not JSON that can be stored' }
  }
  if (ajv.validate<Static<S>>(schema, value)) return { value }
  const [error] = ajv.errors ?? []
  return { fault: `${error?.instancePath || 'the document'} ${error?.message}`.slice(0, 300) }
}
