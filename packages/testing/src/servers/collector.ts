import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { Type } from 'typebox'
import { Parse } from 'typebox/value'
import type { Teardown } from '../database.ts'

const Attribute = Type.Object({
  key: Type.String(),
  value: Type.Object({
    stringValue: Type.Optional(Type.String()),
    intValue: Type.Optional(Type.Union([Type.Number(), Type.String()])),
    doubleValue: Type.Optional(Type.Number()),
    boolValue: Type.Optional(Type.Boolean()),
  }),
})

/** The part of OTLP in JSON that tests look at. */
const Body = Type.Object({
  resourceSpans: Type.Array(
    Type.Object({
      resource: Type.Object({ attributes: Type.Array(Attribute) }),
      scopeSpans: Type.Array(
        Type.Object({
          spans: Type.Array(
            Type.Object({
              traceId: Type.String(),
              spanId: Type.String(),
              parentSpanId: Type.Optional(Type.String()),
              name: Type.String(),
              kind: Type.Integer(),
              attributes: Type.Array(Attribute),
              status: Type.Object({ code: Type.Optional(Type.Integer()) }),
            }),
          ),
        }),
      ),
    }),
  ),
})

export interface ReceivedSpan {
  /** The process that sent it. */
  service: string
  traceId: string
  spanId: string
  /** The span above it; empty for the first one of a trace. */
  parentSpanId: string
  name: string
  failed: boolean
  attributes: Record<string, string | number | boolean>
}

export interface Collector {
  url: string
  /** Every span that it has received. */
  spans: ReceivedSpan[]
  /** Every body that it has received, as it came. */
  bodies: string[]
  close(): Promise<void>
}

const valuesOf = (attributes: { key: string; value: object }[]) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]))

/**
 * Starts a server that takes traces as a collector does, OTLP as JSON over HTTP. `answer` is called with each response in place
 * of the usual 200, and with its connection. It is closed after the test.
 */
export async function startCollector(
  t: Teardown,
  answer = (response: ServerResponse, _socket: Socket): unknown => response.end('{}'),
): Promise<Collector> {
  const [spans, bodies]: [ReceivedSpan[], string[]] = [[], []]
  const server = createServer(async (request, response) => {
    const body = await text(request).catch(() => undefined)
    if (body === undefined) return
    bodies.push(body)
    for (const { resource, scopeSpans } of Parse(Body, JSON.parse(body)).resourceSpans) {
      const service = String(valuesOf(resource.attributes)['service.name'])
      for (const span of scopeSpans.flatMap((scope) => scope.spans)) {
        const { parentSpanId = '', status, attributes, ...rest } = span
        spans.push({ ...rest, service, parentSpanId, failed: status.code === 2, attributes: valuesOf(attributes) })
      }
    }
    response.setHeader('content-type', 'application/json')
    answer(response, request.socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const close = async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
  t.teardown(close)
  return { url: `http://127.0.0.1:${Object(server.address()).port}`, spans, bodies, close }
}
