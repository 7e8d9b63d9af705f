/** A service as a process of its own, for tests of what only a process shows: its log, its signals, its end. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { createFileStore } from '@playtherapy/object-store'
import { cases } from '@playtherapy/schema'
import {
  DatabaseSettings,
  guardAccess,
  HttpSettings,
  LogSettings,
  loadConfig,
  requireTherapist,
} from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { sql } from 'drizzle-orm'
import { Type } from 'typebox'

const config = loadConfig(Type.Object({ ...HttpSettings, ...DatabaseSettings, ...LogSettings }), process.env)
await serve({
  name: 'test-service',
  description: 'For tests',
  config,
  store: createFileStore({ directory: process.env.STORE_DIRECTORY ?? '' }),
  app: (db) => async (app) => {
    app.addHook('onRequest', requireTherapist)
    app.addHook('onRequest', guardAccess(db))
    app.get('/case/:case_id', ({ caseId }) => ({ caseId }))
    app.post('/case/:case_id', (request) => request.body)
    app.get<{ Querystring: { keyword?: string } }>('/throws', ({ query }) => {
      throw new Error(`failed for ${query.keyword}`)
    })
    app.get<{ Querystring: { keyword?: string } }>('/query-fails', ({ query }) =>
      db.select().from(cases).where(sql`${cases.givenName} = ${query.keyword} and no_such_column`),
    )
    app.get<{ Querystring: { keyword?: string } }>('/stream-fails', ({ query }, reply) => {
      async function* some() {
        yield 'a'.repeat(100_000)
        throw new Error(`failed for ${query.keyword}`)
      }
      return reply.send(Readable.from(some()))
    })
    app.get('/waits', async (request) => {
      request.log.info('waiting')
      await once(process, 'SIGUSR2')
      return { waited: true }
    })
    app.get<{ Querystring: { keyword?: string } }>('/crashes', ({ query }) => {
      setImmediate(() => {
        throw new Error(`crashed for\n    at ${query.keyword}`)
      })
      return {}
    })
  },
})
