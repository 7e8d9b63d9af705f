/** All services in a process of their own, for tests of what its event loop does; asked and told by messages. */
import { readFileSync } from 'node:fs'
import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import { createFileStore } from '@playtherapy/object-store'
import { openDatabase } from '@playtherapy/schema'
import { scriptApp } from '@playtherapy/script/app'
import { createHost } from '@playtherapy/service-kit/host'
import { jwtSecret } from '@playtherapy/testing'

const [, , url = '', directory = ''] = process.argv
const { db } = openDatabase({ url, max: 4, applicationName: 'test' })
const store = createFileStore({ directory, publicUrl: 'http://localhost:8080', secret: 'of a test' })
const resources = { db, store, phase: 'LOCAL' as const, uploadLimit: 1024 ** 3 }
const host = await createHost({
  name: 'test',
  description: 'Test host',
  auth: { jwtSecret },
  corsOrigins: ['http://localhost:3000'],
  logLevel: 'silent',
  requestsPerMinute: 100_000,
  ready: {},
  apps: async (root) => {
    await root.register(contentsApp({ ...resources, timeZone: 'Asia/Seoul' }))
    await root.register(mediaApp(resources))
    await root.register(scriptApp(resources))
  },
})

/** Milliseconds for which this thread, and no other, had a core: a busy machine makes them no more. */
const onCore = () => Number(readFileSync(`/proc/self/task/${process.pid}/schedstat`, 'utf8').split(' ')[0]) / 1e6
let [longest, last] = [0, onCore()]
setInterval(() => {
  const now = onCore()
  longest = Math.max(longest, now - last)
  last = now
}, 2)
// Any message asks for the longest turn of the event loop since the one before.
process.on('message', () => {
  process.send?.(longest)
  longest = 0
})
process.once('disconnect', () => process.exit())
process.send?.(await host.listen({ host: '127.0.0.1', port: 0 }))
