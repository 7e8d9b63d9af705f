import { Ajv } from 'ajv'
import type { FastifyInstance } from 'fastify'

/**
 * Validates input without changing it: no coercion (a number is not a name), nothing removed, every fault listed.
 * Numbers in paths and queries are texts with a pattern, because coercion would let `1e3` and an empty text through.
 */
export function installValidation(host: FastifyInstance): void {
  const ajv = new Ajv({
    coerceTypes: false,
    removeAdditional: false,
    useDefaults: false,
    allErrors: true,
    strict: false,
  })
  host.setValidatorCompiler(({ schema }) => ajv.compile(schema))
}
