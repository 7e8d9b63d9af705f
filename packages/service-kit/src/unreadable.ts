import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { ConnectionError } from 'fastify'
import { errorText } from './error-handler.ts'
import { errors } from './errors.ts'
import { protectiveHeaders } from './headers.ts'

/**
 * Closes a connection whose bytes are no HTTP request, or come too slowly to be one. It is told why by the table of
 * errors, unless an answer to an earlier request may be on its way, or nothing was said at all: browsers open
 * connections beforehand, and take no answer on one that they never used.
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
