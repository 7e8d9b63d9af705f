import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'

/** Options of every Ajv: our schemas are typed, and to check them by the schema of schemas was a tenth of a start. */
export const ajvOptions = { strict: false, meta: false, validateSchema: false }

/** Input is never changed: no coercion (a number is not a name), nothing removed, no defaults. */
function compiler(allErrors: boolean) {
  const ajv = new Ajv({ ...ajvOptions, coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors })
  return ({ schema }: { schema: object }) => ajv.compile(schema)
}

/**
 * Validates input without changing it, every fault listed. Numbers in paths and queries are texts with a pattern,
 * because coercion would let `1e3` and an empty text through.
 */
export function installValidation(host: FastifyInstance): void {
  host.setValidatorCompiler(compiler(true))
}

/** For a scope whose bodies hold long lists: one fault each could take more memory than the body itself. */
export function listFirstFaultOnly(scope: FastifyInstance): void {
  scope.setValidatorCompiler(compiler(false))
}
