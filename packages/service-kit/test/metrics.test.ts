import { createHealthHost, createLogger, createMeter } from '@playtherapy/service-kit'
import t from 'tap'
import { good, startHost } from './support.ts'

const silent = createLogger('test', 'silent')

t.test('requests are counted by route pattern, without ids or queries', async (t) => {
  const { url } = await startHost(t, {
    apps: async (app) => {
      app.get('/case/:case_id', () => ({}))
    },
  })
  for (const path of ['/case/471100004711?keyword=Jiwoo', '/case/471100004712', '/nowhere/471100004713']) {
    await (await fetch(url + path, { headers: good() })).text()
  }
  const response = await fetch(`${url}/metrics`)
  const text = await response.text()
  t.match(response.headers.get('content-type'), 'text/plain')
  t.match(text, /^http_request_duration_seconds_count\{method="GET",route="\/case\/:case_id",status="200"\} 2$/m)
  t.match(text, /^http_request_duration_seconds_count\{method="GET",route="none",status="404"\} 1$/m)
  t.match(text, /^process_resident_memory_bytes \d+$/m)
  t.notMatch(text, /47110000|Jiwoo/)
})

t.test('what a source tells is shown, and one that fails hides nothing else', async (t) => {
  const meter = createMeter(silent)
  meter.gauges({ jobs_failed: { help: 'Failed' } }, async () => ({ jobs_failed: 3 }))
  let isDown = false
  meter.gauges({ rows: { help: 'Rows', labels: ['kind'] }, age_seconds: { help: 'Age' } }, async () => {
    if (isDown) throw new Error('database away')
    return { rows: [{ labels: { kind: 'encode' }, value: 2 }], age_seconds: null }
  })
  const host = createHealthHost({}, meter, silent)
  t.teardown(() => host.close())
  const { body, statusCode } = await host.inject('/metrics')
  t.equal(statusCode, 200)
  t.match(body, /^jobs_failed 3$/m)
  t.match(body, /^rows\{kind="encode"\} 2$/m)
  t.notMatch(body, /^age_seconds/m, 'what is not known is not 0')
  t.match(body, /^nodejs_eventloop_lag_p99_seconds /m)
  isDown = true
  const later = (await host.inject('/metrics')).body
  t.match(later, /^jobs_failed 3$/m)
  t.notMatch(later, /^rows/m, 'an old value would look like a new one')
})

t.test('a reading that fails or hangs is logged once and counted, and ends', async (t) => {
  const logged: unknown[] = []
  const meter = createMeter({ warn: (fields: unknown) => logged.push(fields) })
  let isDown = true
  meter.gauges({ room_bytes: { help: 'Room' } }, async () => ({ room_bytes: 7 }))
  meter.gauges({ rows: { help: 'Rows' } }, async () => {
    if (isDown) throw new Error('permission denied')
    return { rows: 1 }
  })
  meter.gauges({ age_seconds: { help: 'Age' } }, async () => {
    if (isDown) await new Promise(() => {})
    return { age_seconds: 1 }
  })
  for (let scrape = 0; scrape < 2; scrape++) {
    const { text } = await meter.read()
    t.match(text, /^room_bytes 7$/m)
    t.notMatch(text, /^(rows|age_seconds) /m)
    t.match(text, /^gauge_readings_failed 2$/m)
  }
  t.match(logged, [
    { err: { message: 'permission denied' }, gauges: ['rows'] },
    { err: { message: 'no answer within 3 seconds' }, gauges: ['age_seconds'] },
  ])
  t.equal(logged.length, 2)
  isDown = false
  t.match((await meter.read()).text, /^gauge_readings_failed 0$/m)
})

t.test('counters begin at 0 for each of their labels, and histograms have true types', async (t) => {
  const meter = createMeter(silent)
  const count = meter.counter({ name: 'uploads_total', help: 'Uploads', labels: { outcome: ['stored', 'failed'] } })
  const observe = meter.histogram({ name: 'wait_seconds', help: 'Wait', labels: {} }, [1, 60])
  count({ outcome: 'stored' })
  observe({}, 30)
  const { text } = await meter.read()
  t.match(text, /^# TYPE uploads_total counter$/m)
  t.match(text, /^uploads_total\{outcome="stored"\} 1$/m)
  t.match(text, /^uploads_total\{outcome="failed"\} 0$/m)
  t.match(text, /^# TYPE wait_seconds histogram$/m)
  t.match(text, /^wait_seconds_bucket\{le="60"\} 1$/m)
  t.match(text, /^build_info\{version="[\d.]+",commit="\w+"\} 1$/m)
})

t.test('what a bound has refused is counted, by whose bound it was', async (t) => {
  const { url } = await startHost(t, {
    requestsPerMinute: 2,
    apps: async (app) => {
      app.get('/case', () => ({}))
    },
  })
  for (let request = 0; request < 4; request++) await (await fetch(`${url}/case`, { headers: good() })).text()
  const text = await (await fetch(`${url}/metrics`)).text()
  t.match(text, /^requests_refused_total\{bound="pace",whose="therapist"\} 2$/m)
  for (const bound of ['requests', 'wait', 'bytes']) {
    t.match(text, new RegExp(`^requests_refused_total\\{bound="${bound}",whose="process"\\} 0$`, 'm'))
  }
})

t.test('the parts of a process are shown as ready or not', async (t) => {
  const checks = { database: async () => {}, objects: () => Promise.reject(new Error('away')) }
  const host = createHealthHost(checks, createMeter(silent), silent)
  t.teardown(() => host.close())
  const { body } = await host.inject('/metrics')
  t.match(body, /^part_ready\{part="database"\} 1$/m)
  t.match(body, /^part_ready\{part="objects"\} 0$/m)
})
