import { Ajv, type Options } from 'ajv'
import type { FastifyInstance } from 'fastify'

/**
 * Options of every Ajv instance. Our schemas are typed; checking them against the meta schema took a tenth of the start. `int32` is for
 * readers of the OpenAPI document: the bounds of a number are checked by their own words.
 */
export const ajvOptions = {
  strict: false,
  meta: false,
  validateSchema: false,
  formats: { int32: true },
} satisfies Options

/** Input is never changed: nothing is coerced (a number is not a name) or removed, and no defaults are added. */
function compiler(allErrors: boolean) {
  const ajv = new Ajv({ ...ajvOptions, coerceTypes: false, removeAdditional: false, useDefaults: false, allErrors })
  return ({ schema }: { schema: object }) => ajv.compile(schema)
}

/**
 * Validates input without changing it, and lists every fault. Numbers in paths and queries are texts with a pattern,
 * because coercion would accept `1e3` and an empty text.
 */
export function installValidation(host: FastifyInstance): void {
  host.setValidatorCompiler(compiler(true))
}

/** For a scope whose bodies hold long lists: one fault for each entry could take more memory than the body itself. */
export function listFirstFaultOnly(scope: FastifyInstance): void {
  scope.setValidatorCompiler(compiler(false))
}
