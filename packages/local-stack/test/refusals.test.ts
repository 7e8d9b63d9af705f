import { request } from 'node:http'
import { seedSession } from '@playtherapy/testing'
import t from 'tap'
import { at, claimsFor, type Operation, operations, testServices } from './support.ts'

const therapist = 7

interface Sent {
  headers?: Record<string, string>
  caseId?: number | string
  sessionId?: number | string
}

/**
 * Returns a function that calls an operation with these headers and without a body, and returns status and code of its answer. The host
 * fails the test if the OpenAPI document does not list one of the answers.
 */
async function prepare(services: Awaited<ReturnType<typeof testServices>>) {
  const mine = await seedSession(services.db, therapist)
  return ({ method, path }: Operation, { headers = {}, caseId = mine.caseId, sessionId = mine.sessionId }: Sent) =>
    new Promise<string>((resolve, reject) => {
      const filled = at({ path }, caseId, sessionId).replace('{upload_id}', 'none')
      const sent = request(
        services.url + filled,
        { method, headers: { 'tus-resumable': '1.0.0', ...headers } },
        async (response) => {
          // An event stream lasts as long as its token.
          if (response.statusCode === 200) {
            response.destroy()
            return resolve('200')
          }
          let text = ''
          for await (const chunk of response) text += chunk
          sent.destroy()
          resolve(`${response.statusCode} ${/"error_code":(\d+)/.exec(text)?.[1] ?? ''}`.trim())
        },
      )
      sent.on('error', reject)
      // A length that is announced and never sent.
      if (headers['content-length']) sent.flushHeaders()
      else sent.end()
    })
}

/** A response to HEAD has no body. */
const expected = ({ method }: Operation, status: number, code: number) =>
  method === 'HEAD' ? `${status}` : `${status} ${code}`

t.test(
  'every operation refuses a missing token, ids that are none, and a body that is too long, as documented',
  async (t) => {
    const services = await testServices(t)
    const call = await prepare(services)
    for (const operation of await operations(services.url)) {
      const name = `${operation.method} ${operation.path}`
      const token = services.withClaims(claimsFor(operation, therapist))
      t.equal(await call(operation, {}), expected(operation, 401, 0), `${name} without a token`)
      if (operation.path.includes('{case_id}'))
        t.equal(
          await call(operation, { headers: token, caseId: 'x' }),
          expected(operation, 422, 8),
          `${name} of case x`,
        )
      if (operation.path.includes('{session_id}'))
        t.equal(
          await call(operation, { headers: token, sessionId: 'x' }),
          expected(operation, 422, 8),
          `${name} of session x`,
        )
      if (!operation.bodyTypes.some((type) => type.endsWith('json'))) continue
      const headers = { ...token, 'content-type': operation.bodyTypes[0] ?? '', 'content-length': '1000000000' }
      t.equal(await call(operation, { headers }), '413 9', `${name} with a gigabyte`)
    }
  },
)

t.test('every operation refuses too many requests, as documented', async (t) => {
  const services = await testServices(t, 'file', { requestsPerMinute: 1 })
  const call = await prepare(services)
  const all = await operations(services.url)
  for (const operation of [...all, ...all]) {
    const answer = await call(operation, { headers: services.withClaims(claimsFor(operation, therapist)) })
    // tus clients take a 429 after HEAD for the end of the upload, and come back after a 423.
    const isLooked = operation.method === 'HEAD' && operation.path.includes('{upload_id}')
    // The first request of each holder of a token is answered.
    if (all.indexOf(operation) > 0 && operation.opensTo === 'therapist')
      t.equal(answer, isLooked ? '423' : expected(operation, 429, 10), `${operation.method} ${operation.path}`)
  }
})
