import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { errorText } from './error-handler.ts'
import { errors } from './errors.ts'
import { protectiveHeaders } from './headers.ts'

/**
 * Closes a connection whose bytes are not an HTTP request, or arrive too slowly. The client gets `errors.unreadable`,
 * unless the response to an earlier request may still be on its way, or no byte was received: browsers open connections
 * in advance, and accept no response on one that they have not used.
 */
export function refuseUnreadable({ code }: ConnectionError, socket: Socket): void {
  if (socket.writable && socket.bytesRead > 0 && socket.bytesWritten === 0) {
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
