import type { FastifyInstance } from 'fastify'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

const Refusal = Type.Object({ error_code: Type.Integer() })
const Document = Type.Object({
  paths: Type.Record(
    Type.String(),
    Type.Record(
      Type.String(),
      Type.Object({
        operationId: Type.Optional(Type.String()),
        responses: Type.Record(
          Type.String(),
          Type.Object({
            content: Type.Optional(
              Type.Record(
                Type.String(),
                Type.Object({
                  examples: Type.Optional(Type.Record(Type.String(), Type.Object({ value: Type.Unknown() }))),
                }),
              ),
            ),
          }),
        ),
      }),
    ),
  ),
})

/** The responses that an OpenAPI document promises, each as `operation status` or `operation status code`. */
export function promised(document: unknown): Set<string> {
  const { paths } = Value.Parse(Document, document)
  const operations = Object.values(paths).flatMap((methods) => Object.values(methods))
  return new Set(
    operations.flatMap(({ operationId, responses }) =>
      Object.entries(responses).flatMap(([status, { content }]) => {
        const examples = Object.values(content?.['application/json']?.examples ?? {})
        const codes = examples.flatMap(({ value }) => (Value.Check(Refusal, value) ? [value.error_code] : []))
        return [`${operationId} ${status}`, ...codes.map((code) => `${operationId} ${status} ${code}`)]
      }),
    ),
  )
}

const codeOf = (payload: unknown) => (typeof payload === 'string' ? /"error_code":(\d+)/.exec(payload)?.[1] : undefined)

/** Notes every response of the routes in this scope, in the words of `promised`. */
export function noteResponses(scope: FastifyInstance): Set<string> {
  const seen = new Set<string>()
  scope.addHook('onSend', async (request, reply, payload) => {
    const { schema, method } = request.routeOptions
    const operation = schema?.operationId
    // A HEAD is answered by the route of its GET, and without a body.
    if (operation === undefined || method === undefined) return
    const code = reply.statusCode >= 400 ? codeOf(payload) : undefined
    seen.add([operation, reply.statusCode, code].filter((part) => part !== undefined).join(' '))
  })
  return seen
}
