import { parseJson } from '@playtherapy/service-kit'
import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'

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
  if (Value.Check(schema, value)) return { value }
  const [error] = Value.Errors(schema, value)
  return { fault: `${error?.instancePath || 'the document'} ${error?.message}`.slice(0, 300) }
}
