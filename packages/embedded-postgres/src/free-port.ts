import { once } from 'node:events'
import { createServer } from 'node:net'

/** Above 10,080, the last port that browsers and `fetch` refuse to connect to. */
const [first, count, each] = [10_100, 22_000, 16]
let taken = 0

/**
 * Returns a loopback port on which no process listens. It stays free if a server stops and listens on it again later,
 * because it is below the ports that Linux uses for outgoing connections (ip_local_port_range, from 32,768), and processes
 * that run at the same time try different ones.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = first + ((process.pid * each + taken++) % count)
    const probe = createServer().listen(port, '127.0.0.1')
    const isFree = await once(probe, 'listening').then(
      () => true,
      () => false,
    )
    if (!isFree) continue
    await new Promise((resolve) => probe.close(resolve))
    return port
  }
}
