/** A queue that is closed while TLS with its server begins: the client sees two errors of one socket then. */
import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort } from '@playtherapy/embedded-postgres'
import { queueBackends, startRedis, until } from '@playtherapy/testing'
import t from 'tap'
import { redisBackends } from '../src/redis.ts'

const skip = queueBackends.includes('redis') ? false : 'needs redis'

t.test(
  'a certificate that nobody trusts and a refused end of the connection take no process down',
  { skip },
  async (t) => {
    const folder = t.testdir()
    const [key, cert] = [join(folder, 'server.key'), join(folder, 'server.pem')]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '1', '-subj', '/CN=localhost']
    await promisify(execFile)('openssl', [...request, '-keyout', key, '-out', cert])
    const port = await freePort()
    const tls = ['--tls-port', `${port}`, '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', cert]
    const redis = await startRedis(join(folder, 'redis'), [...tls, '--tls-auth-clients', 'no'])
    t.teardown(redis.kill)

    /** What the server has sent on each connection, which the client gets when the server has ended it. */
    const held: { bytes: number; isOver: boolean }[] = []
    const proxy = createServer({ allowHalfOpen: true }, (near) => {
      const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
      const connection = { bytes: 0, isOver: false }
      held.push(connection)
      const parts: Buffer[] = []
      far.on('data', (part) => {
        parts.push(part)
        connection.bytes += part.length
      })
      far.on('end', () => near.end(Buffer.concat(parts)))
      near.on('close', () => {
        connection.isOver = true
      })
      for (const socket of [near, far]) socket.on('error', () => {})
      near.pipe(far)
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    t.teardown(() => proxy.close())

    const { close } = redisBackends(`rediss://127.0.0.1:${(proxy.address() as AddressInfo).port}`, () => {})
    await until('the certificate on both connections', () => held.filter(({ bytes }) => bytes > 0).length === 2)
    await close()
    await until('the end of both', () => held.every(({ isOver }) => isOver))
    t.equal(held.length, 2)
  },
)
