import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyInstance, FastifyRequest } from 'fastify'

/** Longest time, in milliseconds, and most bytes for which the rest of a refused body is read and thrown away. */
const lingerMs = 5_000
const lingerBytes = 16 * 1024 ** 2

/** Reads on for a little while after the answer, unless all has come. */
async function linger({ raw }: FastifyRequest): Promise<void> {
  const { socket } = raw
  // In this turn Node lets go of the request itself; what is done to it now would be undone.
  await nextTurn()
  if (raw.complete || socket.destroyed) return
  raw.unpipe()
  raw.resume()
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
  // The request itself is silent from here on: Node discards what it would have been given.
  socket.on('data', count)
  raw.once('end', done)
  socket.once('close', done)
}

/**
 * A request refused early (wrong token, other user's case) may have gigabytes still to come. Closing at once would
 * reset the connection before the client has read the answer; reading it all would cost what the refusal was to save.
 * So a little of what comes is thrown away, for a few seconds, and then the connection is cut.
 */
export function installLingering(host: FastifyInstance): void {
  host.addHook('onResponse', (request, _reply, next) => {
    if (request.raw.complete) next()
    else linger(request).then(() => next(), next)
  })
}
