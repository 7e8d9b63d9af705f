import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import type { Teardown } from '@playtherapy/testing'
import { Webhook } from 'standardwebhooks'
import { Type } from 'typebox'
import { Value } from 'typebox/value'

export const secret = `whsec_${Buffer.alloc(32, 'a').toString('base64')}`
export const nextSecret = `whsec_${Buffer.alloc(32, 'b').toString('base64')}`

const Versioned = Type.Union([Type.Object({ version: Type.Integer() }), Type.Null()])
const exactly = { additionalProperties: false }

/** All that a webhook has: no name and no text. */
const Body = Type.Object(
  {
    type: Type.Literal('session'),
    timestamp: Type.String(),
    data: Type.Object(
      {
        user_id: Type.Integer(),
        case_id: Type.Integer(),
        session_id: Type.Integer(),
        deleted: Type.Boolean(),
        session: Type.Union([
          Type.Object(
            {
              session_state_id: Type.Integer(),
              encoding_state_id: Type.Integer(),
              script_state_id: Type.Integer(),
              analyze_state_id: Type.Integer(),
            },
            exactly,
          ),
          Type.Null(),
        ]),
        video: Type.Union([Type.Object({ state: Type.String() }, exactly), Type.Null()]),
        script: Versioned,
        report: Versioned,
      },
      exactly,
    ),
  },
  exactly,
)

export interface Received {
  id: string
  headers: IncomingHttpHeaders
  text: string
  timestamp: string
  data: ReturnType<typeof Value.Parse<typeof Body>>['data']
}

/** A receiver over HTTP, which verifies each webhook with the reference implementation, and answers by `answer`. */
export async function startReceiver(t: Teardown, answer: (response: ServerResponse, received: Received) => void) {
  const received: Received[] = []
  const server = createServer(async (request, response) => {
    const body = await text(request)
    const headers = Object.fromEntries(Object.entries(request.headers).map(([name, value]) => [name, String(value)]))
    new Webhook(secret).verify(body, headers)
    const { timestamp, data } = Value.Parse(Body, JSON.parse(body))
    const one = {
      id: headers['webhook-id'] ?? '',
      headers: request.headers,
      text: body,
      timestamp,
      data,
    }
    received.push(one)
    answer(response, one)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    server.closeAllConnections()
    server.close()
  })
  const { port } = server.address() as AddressInfo
  return { received, port, url: `http://127.0.0.1:${port}/hooks?key=1` }
}
