/** What the gateway writes to its error log: it must quote no request, because the path of a link is a key. */
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { hasNginx, startNginx, until } from '@playtherapy/testing'
import t from 'tap'

t.test('a gateway without free connections quotes no request', { skip: !hasNginx() && 'needs nginx' }, async (t) => {
  const waiting: ServerResponse[] = []
  const media = createServer((_, answer) => waiting.push(answer)).listen(0, '127.0.0.1')
  await once(media, 'listening')
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-nginx-'))
  const [file, log] = [join(directory, 'few.conf'), join(directory, 'error.log')]
  // Each request takes two connections, so with an odd number of them a request finds only one.
  const few = (await readFile(new URL('../../../.docker/nginx.conf', import.meta.url), 'utf8'))
    .replace(/worker_connections \d+/, 'worker_connections 17')
    .replace('worker_processes auto', 'worker_processes 1')
  await writeFile(file, few)
  const address = `http://127.0.0.1:${Object(media.address()).port}`
  const nginx = await startNginx(
    directory,
    { media: address, store: address },
    { file, inside: (program, args) => ['sh', ['-c', `exec "$0" "$@" 2> ${log}`, program, ...args]] },
  )
  t.teardown(async () => {
    media.closeAllConnections()
    media.close()
    await nginx.stop()
    await rm(directory, { recursive: true })
  })
  const { port, hostname } = new URL(nginx.url)
  for (const clients of [8, 9, 10]) {
    const sockets = Array.from({ length: clients }, () => connect(Number(port), hostname).on('error', () => {}))
    for (const socket of sockets)
      socket.write('GET /contents/api/playback/a-secret/video.mp4 HTTP/1.1\r\nHost: a\r\n\r\n')
    // Some are answered by media, and some are closed or refused for want of a connection.
    await until(
      'the requests',
      async () => waiting.length,
      (count) => count >= 7,
    )
    await sleep(200)
    for (const socket of sockets) socket.destroy()
    for (const answer of waiting.splice(0)) answer.destroy()
  }
  t.notMatch(await readFile(log, 'utf8'), 'a-secret')
})
