import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** For how long, and up to how many bytes, the rest of a refused body is read and discarded. */
const lingerMs = 5_000
const lingerBytes = 16 * 1024 ** 2

/** Keeps reading for a short while after the response, unless the request is complete. */
async function linger({ raw }: FastifyRequest): Promise<void> {
  const { socket } = raw
  // In this turn of the event loop Node itself ends the request, and would undo what we do to it now.
  await nextTurn()
  if (raw.complete || socket.destroyed) return
  raw.unpipe()
  // An iterator that was left listens until the next bytes come, and would keep them from being discarded.
  raw.removeAllListeners('readable')
  raw.resume()
  // Node does not read on from a socket that gets a listener while it is paused, so it has to have resumed before.
  await nextTurn()
  if (raw.complete || socket.destroyed) return
  let left = lingerBytes
  const count = (chunk: Buffer) => {
    left -= chunk.length
    if (left < 0) socket.destroy()
  }
  const timer = setTimeout(() => socket.destroy(), lingerMs)
  const done = () => {
    clearTimeout(timer)
    socket.off('data', count)
  }
  // The request emits no more data: Node discards it. So the bytes are counted on the socket.
  socket.on('data', count)
  raw.once('end', done)
  socket.once('close', done)
}

/**
 * A request that is refused early (wrong token, another therapist's case) may have gigabytes still to send. Closing at
 * once would reset the connection before the client has read the response. Reading everything would cost what the
 * refusal was meant to save. So the rest is read and discarded for a few seconds, and then the connection is closed.
 */
export function installLingering(host: FastifyInstance): void {
  host.addHook('onResponse', (request, _reply, next) => {
    if (request.raw.complete) next()
    else linger(request).then(() => next(), next)
  })
}
