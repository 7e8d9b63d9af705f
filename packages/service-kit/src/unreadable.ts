import { type ServerResponse, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError, FastifyInstance } from 'fastify'
import { errorText } from './error-handler.ts'
import { errors } from './errors.ts'
import { protectiveHeaders } from './headers.ts'

/** The responses of a connection that have not ended. */
const underWay = new WeakMap<Socket, Set<ServerResponse>>()

/** Lets {@link refuseUnreadable} know which responses of a connection are under way. */
export function noteResponses({ server }: Pick<FastifyInstance, 'server'>): void {
  server.prependListener('request', ({ socket }, response) => {
    const responses = underWay.get(socket) ?? new Set()
    underWay.set(socket, responses.add(response))
    response.once('close', () => responses.delete(response))
  })
}

/** Whether a client takes what is written now for the response to what was not readable: another request, or the body of this one. */
const isAnswer = (socket: Socket) =>
  [...(underWay.get(socket) ?? [])].every((response) => !response.req.complete && !response.headersSent)

/**
 * Closes a connection whose bytes are not an HTTP request, or arrive too slowly. The client gets `errors.unreadable`, unless the response
 * to an earlier request is on its way, or no byte was received: browsers open connections in advance, and accept no response on one
 * that they have not used. A gateway sends requests of many clients on one connection, and takes one that closes without a response
 * for a service that is away.
 */
export function refuseUnreadable({ code }: ConnectionError, socket: Socket): void {
  if (socket.writable && socket.bytesRead > 0 && isAnswer(socket)) {
    const status = code === 'HPE_HEADER_OVERFLOW' ? 431 : code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400
    const text = errorText(errors.unreadable(status))
    const headers = Object.entries(protectiveHeaders).map(([name, value]) => `${name}: ${value}\r\n`)
    socket.write(
      `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n${headers.join('')}\r\n${text}`,
    )
  }
  socket.destroySoon()
}
