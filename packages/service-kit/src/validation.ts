import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'

/** Input is never changed: no coercion (a number is not a name), nothing removed, no defaults. */
function compiler(allErrors: boolean) {
  const ajv = new Ajv({ coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors, strict: false })
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
