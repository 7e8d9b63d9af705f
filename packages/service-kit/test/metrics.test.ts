import { createHealthHost, createLogger } from '@playtherapy/service-kit'
import t from 'tap'
import { good, startHost } from './support.ts'

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
  const sources = [async () => ({ jobs_failed: 3 }), () => Promise.reject(new Error('database away'))]
  const host = createHealthHost({}, sources, createLogger('test', 'silent'))
  t.teardown(() => host.close())
  const { body, statusCode } = await host.inject('/metrics')
  t.equal(statusCode, 200)
  t.match(body, /^jobs_failed 3$/m)
  t.match(body, /^nodejs_eventloop_lag_p99_seconds /m)
})
