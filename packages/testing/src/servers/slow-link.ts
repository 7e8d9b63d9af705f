import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A connection is not read further while so many bytes of it wait: what 200 ms bring at 80 MB a second. */
const mostHeldBytes = 16 * 2 ** 20

export interface SlowLink {
  /** The server's URL with the address of this link. */
  url: string
  /** Each response of the server arrives so many milliseconds later, 0 at first. It may be changed at any time. */
  delayMs: number
  close(): void
}

/** Passes on what `from` brings, each piece after the delay of the moment of its arrival, in order and without a loss of speed. */
async function passOn(from: Socket, to: Socket, delayMs: () => number) {
  const held: { bytes: Buffer; due: number }[] = []
  let heldBytes = 0
  let isOver = false
  let wake = () => {}
  from.on('data', (bytes: Buffer) => {
    held.push({ bytes, due: performance.now() + delayMs() })
    heldBytes += bytes.length
    if (heldBytes > mostHeldBytes) from.pause()
    wake()
  })
  from.on('close', () => {
    isOver = true
    wake()
  })
  while (!to.destroyed) {
    const next = held.shift()
    if (next) {
      const wait = next.due - performance.now()
      if (wait > 0) await sleep(wait)
      heldBytes -= next.bytes.length
      if (heldBytes <= mostHeldBytes) from.resume()
      // The callback also comes where the connection breaks.
      await new Promise<void>((resolve) => to.write(next.bytes, () => resolve()))
    } else if (isOver) {
      to.destroySoon()
      return
    } else await new Promise<void>((resolve) => (wake = resolve))
  }
  from.destroy()
}

/** Opens a TCP link to a server on loopback, through which its responses can be delayed. A broken connection breaks on both sides. */
export async function slowLink(server: string): Promise<SlowLink> {
  const url = new URL(server)
  const to = { host: url.hostname, port: Number(url.port) }
  const sockets = new Set<Socket>()
  const listener = createServer((client) => {
    const upstream = connect(to)
    for (const [socket, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => other.destroy())
      socket.on('close', () => sockets.delete(socket))
    }
    passOn(client, upstream, () => 0)
    passOn(upstream, client, () => link.delayMs)
  })
  listener.listen(0, '127.0.0.1')
  await once(listener, 'listening')
  url.port = `${Object(listener.address()).port}`
  const link: SlowLink = {
    url: url.origin,
    delayMs: 0,
    close() {
      listener.close()
      for (const socket of sockets) socket.destroy()
    },
  }
  return link
}
