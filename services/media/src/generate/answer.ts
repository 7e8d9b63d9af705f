import { parseJson } from '@playtherapy/service-kit'
import type { Static, TSchema } from 'typebox'
import { Check, Errors } from 'typebox/schema'

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
  if (Check(schema, value)) return { value }
  const [error] = Errors(schema, value)[1]
  return { fault: `${error?.instancePath || 'the document'} ${error?.message}`.slice(0, 300) }
}
