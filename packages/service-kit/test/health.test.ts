import { createHealthHost, createLogger, createMeter } from '@playtherapy/service-kit'
import t from 'tap'

t.test('a part that hangs is asked once for many probes, and each probe ends', async (t) => {
  let asked = 0
  const hangs = () => {
    asked += 1
    return new Promise(() => {})
  }
  const host = createHealthHost(
    { objects: hangs, queue: async () => {} },
    createMeter(createLogger('test', 'silent')),
    createLogger('test', 'silent'),
  )
  t.teardown(() => host.close())
  const probes = await Promise.all([1, 2, 3].map(() => host.inject('/health/ready')))
  for (const probe of probes) t.match(probe, { statusCode: 503, headers: { 'retry-after': 5 } })
  t.match(probes[0]?.json(), { message: 'Not ready: objects', error_code: 10 })
  t.equal(asked, 1)
})

t.test('a part within another is named only while the other one works', async (t) => {
  const down = new Set(['database', 'outbox'])
  const part = (name: string) => async () => {
    if (down.has(name)) throw new Error('it is down')
  }
  const checks = { database: part('database'), outbox: part('outbox') }
  const host = createHealthHost(checks, createMeter(createLogger('test', 'silent')), createLogger('test', 'silent'), {
    outbox: 'database',
  })
  t.teardown(() => host.close())
  const ready = async () => (await host.inject('/health/ready')).json()
  t.match(await ready(), { message: 'Not ready: database' })
  down.delete('database')
  t.match(await ready(), { message: 'Not ready: outbox' })
  down.delete('outbox')
  t.match(await ready(), { status: 'ok' })
})
