import { ConfigError, loadConfig } from '@playtherapy/service-kit'
import t from 'tap'
import { ContentsConfig } from '../src/config.ts'
import { contents } from './support.ts'

interface Document {
  paths: Record<string, Record<string, object>>
}

t.test('every route is described', async (t) => {
  const { host } = await contents(t)
  const document: Document = JSON.parse(await (await fetch(`${host.url}/documentation/json`)).text())
  const paths = Object.entries(document.paths)
  const described = paths.filter(([path]) => path.startsWith('/contents'))
  const routes = described.flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method} ${path}`))
  const one = '/contents/api/case/{case_id}'
  t.same(
    routes.sort(),
    [
      'delete /contents/api/case/{case_id}',
      `delete ${one}/session/{session_id}`,
      'get /contents/api/case',
      'get /contents/api/case/total-num',
      `get ${one}`,
      `get ${one}/session`,
      `get ${one}/session/total-num`,
      `get ${one}/session/{session_id}`,
      `get ${one}/audit`,
      `get ${one}/report-trend`,
      `get ${one}/session/{session_id}/analyze-report`,
      `get ${one}/session/{session_id}/analyze-report/versions`,
      `get ${one}/session/{session_id}/analyze-report/versions/{version}`,
      'get /contents/api/case/{case_id}/export',
      'post /contents/api/case/{case_id}/export',
      'post /contents/api/case/{case_id}/export/link',
      'get /contents/api/erasure',
      'get /contents/api/erasure/keys',
      'get /contents/api/erasure/{id}',
      'get /contents/api/events',
      'get /contents/api/events/{ticket}',
      'post /contents/api/events/ticket',
      'get /contents/api/operations',
      'post /contents/api/operations/jobs/{id}/retry',
      'post /contents/api/case',
      `post ${one}/session`,
      `post ${one}/session/{session_id}/analyze-report`,
      `put ${one}`,
      `put ${one}/session/{session_id}`,
    ].sort(),
  )
  for (const [path, methods] of described) {
    for (const [method, operation] of Object.entries(methods)) {
      const refusals = { 401: {}, 422: {} }
      const isSigned = path.endsWith('{ticket}')
      const isPublic = path.endsWith('/keys')
      t.match(
        operation,
        {
          tags: [String],
          summary: String,
          ...(isSigned
            ? { responses: { 200: {}, 404: {} } }
            : isPublic
              ? { security: [], responses: { 200: {} } }
              : { security: [{ token: [] }], responses: { 200: {}, ...refusals } }),
        },
        `${method} ${path}`,
      )
    }
  }
})

t.test('the settings are checked', async (t) => {
  const env = {
    DATABASE_URL: 'postgres://u@h/d',
    JWT_SECRET: 'a secret for tests only with forty characters',
    S3_BUCKET: 'bucket',
    S3_ACCESS_KEY_ID: 'id',
    S3_SECRET_ACCESS_KEY: 'secret',
  }
  t.match(loadConfig(ContentsConfig, env), { DATE_TIME_ZONE: 'Asia/Seoul', PHASE: 'LOCAL', PORT: 8080 })
  for (const zone of ['UTC', 'Asia/Kolkata', 'America/Argentina/Buenos_Aires']) {
    t.match(loadConfig(ContentsConfig, { ...env, DATE_TIME_ZONE: zone }), { DATE_TIME_ZONE: zone })
  }
  const faults = (more: object) => {
    try {
      loadConfig(ContentsConfig, { ...env, ...more })
    } catch (error) {
      return error instanceof ConfigError ? error.message : error
    }
    return 'none'
  }
  for (const zone of ['Seoul', '+09:00', "UTC'; --"]) {
    t.match(faults({ DATE_TIME_ZONE: zone }), /DATE_TIME_ZONE/)
    t.notMatch(faults({ DATE_TIME_ZONE: zone }), zone)
  }
  t.match(
    faults({ DATE_TIME_ZONE: 'x', S3_BUCKET: '' }),
    /DATE_TIME_ZONE[\s\S]*S3_BUCKET|S3_BUCKET[\s\S]*DATE_TIME_ZONE/,
  )
})
