import type { FastifyInstance } from 'fastify'

/** Longest time, in milliseconds, in which the rest of a refused body is read and thrown away. */
const lingerMs = 5_000

/**
 * A request refused early (wrong token, other user's case) may have gigabytes still to come. Closing at once would
 * reset the connection before the client has read the answer; reading it all would cost what the refusal was to save.
 * So what comes is thrown away for a few seconds, and then the connection is cut.
 */
export function installLingering(host: FastifyInstance): void {
  host.addHook('onResponse', async (request) => {
    const { socket } = request.raw
    if (request.raw.complete || socket.destroyed) return
    request.raw.unpipe()
    request.raw.resume()
    const timer = setTimeout(() => socket.destroy(), lingerMs)
    request.raw.once('end', () => clearTimeout(timer))
    socket.once('close', () => clearTimeout(timer))
  })
}
