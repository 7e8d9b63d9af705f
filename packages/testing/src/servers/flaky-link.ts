import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import type { Teardown } from '../database.ts'

export interface FlakyLink {
  /** The server's URL with the address of this link. */
  url: string
  /** Breaks every connection and refuses new ones, as a restarting server does. */
  cut(): void
  mend(): void
  /** Stops all traffic and breaks no connection, as a server that hangs. */
  freeze(): void
  thaw(): void
  /** Freezes as soon as clients have sent so many bytes more. Resolves then. */
  freezeAfter(bytes: number): Promise<void>
  /** After a client has sent `text`, its next message reaches the server, and the response to that is lost. */
  loseAnswerAfter(text: string): void
}

/** Opens a TCP link to a real server that a test can break. It is closed after the test. */
export async function flakyLink(t: Teardown, server: string): Promise<FlakyLink> {
  const url = new URL(server)
  const to = { host: url.hostname, port: Number(url.port) }
  const sockets = new Set<Socket>()
  let refusing = false
  let frozen = false
  let marker: string | undefined
  let left = Number.POSITIVE_INFINITY
  let onFrozen = () => {}
  const keep = (socket: Socket, other: Socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      other.destroy()
    })
  }
  const listener = createServer((client) => {
    if (refusing) return client.destroy()
    let last = false
    const upstream = connect(to)
    keep(client, upstream)
    keep(upstream, client)
    client.on('data', (bytes) => {
      upstream.write(bytes)
      left -= bytes.length
      if (left <= 0) {
        left = Number.POSITIVE_INFINITY
        freeze()
        onFrozen()
      }
      if (last) {
        upstream.removeAllListeners('data')
        upstream.once('data', () => client.destroy())
      }
      last = marker !== undefined && bytes.includes(marker)
      if (last) marker = undefined
    })
    upstream.on('data', (bytes) => client.write(bytes))
    if (frozen) for (const socket of [client, upstream]) socket.pause()
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  const address = listener.address()
  if (!address || typeof address === 'string') throw new Error('no port')
  url.host = `127.0.0.1:${address.port}`
  const cut = () => {
    refusing = true
    for (const socket of sockets) socket.destroy()
  }
  const freeze = () => {
    frozen = true
    for (const socket of sockets) socket.pause()
  }
  t.teardown(() => {
    cut()
    listener.close()
  })
  return {
    url: url.href,
    cut,
    mend() {
      refusing = false
    },
    freeze,
    thaw() {
      frozen = false
      for (const socket of sockets) socket.resume()
    },
    freezeAfter(bytes) {
      left = bytes
      return new Promise((resolve) => {
        onFrozen = resolve
      })
    },
    loseAnswerAfter(text) {
      marker = text
    },
  }
}
