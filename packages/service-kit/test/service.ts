/** A service as a process of its own, for tests of what only a process shows: its log, its signals, its end. */
import { once } from 'node:events'
import { Readable } from 'node:stream'
import { createFileStore } from '@playtherapy/object-store'
import { cases, type Database } from '@playtherapy/schema'
import {
  beginProgram,
  DatabaseSettings,
  errors,
  guardAccess,
  HttpSettings,
  LogSettings,
  requireLink,
  requireTherapist,
  TraceSettings,
} from '@playtherapy/service-kit'
import { serve } from '@playtherapy/service-kit/serve'
import { sql } from 'drizzle-orm'
import type { FastifyPluginAsync } from 'fastify'
import { Type } from 'typebox'

const settings = Type.Object({ ...HttpSettings, ...DatabaseSettings, ...LogSettings, ...TraceSettings })
const { config } = beginProgram({ name: 'test-service', summary: 'For tests', settings })
await serve({
  name: 'test-service',
  description: 'For tests',
  config,
  store: createFileStore({ directory: process.env.STORE_DIRECTORY ?? '/nonexistent' }),
  app: (db) => async (root) => {
    const links = { onRequest: requireLink('mp4') }
    root.get<{ Params: { token: string } }>('/links/:token/throws', links, ({ params }) => {
      throw new Error(`failed for ${params.token}`)
    })
    root.get<{ Params: { token: string } }>('/links/:token/fails', links, ({ params }, reply) => {
      async function* some() {
        yield 'a'.repeat(100_000)
        throw new Error(`failed for ${params.token}`)
      }
      return reply.send(Readable.from(some()))
    })
    await root.register(ofTherapists(db))
    // Requests below this path are traced.
    await root.register(ofTherapists(db), { prefix: '/contents/api' })
  },
})

/** The routes that need a token. */
function ofTherapists(db: Database): FastifyPluginAsync {
  return async (app) => {
    app.addHook('onRequest', requireTherapist)
    app.addHook('onRequest', guardAccess(db))
    app.get('/case/:case_id', ({ caseId }) => ({ caseId }))
    app.post('/case/:case_id', (request) => request.body)
    app.get('/streams', { config: { streams: true } }, () => 'a stream')
    app.post('/counts', async () => ({ cases: await db.$count(cases) }))
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
    app.get('/busy', () => {
      throw errors.unavailable()
    })
    app.get('/slow-query', () =>
      db.transaction(async (transaction) => {
        await transaction.execute(sql`set local statement_timeout = 1`)
        await transaction.execute(sql`select pg_sleep(5)`)
      }),
    )
    app.get('/endless', (request, reply) => {
      const stream = new Readable({
        read() {
          this.push('a'.repeat(65_536))
        },
      })
      // As a store's connection ends that is cut because its reader has left.
      reply.raw.once('close', () => {
        stream.destroy(Object.assign(new Error('aborted'), { code: 'ECONNRESET' }))
        request.log.info('left')
      })
      return reply.send(stream)
    })
    app.get('/waits', async (request) => {
      request.log.info('waiting')
      await once(process, 'SIGCONT')
      return { waited: true }
    })
    app.get<{ Querystring: { keyword?: string } }>('/crashes', ({ query }) => {
      setImmediate(() => {
        throw new Error(`crashed for\n    at ${query.keyword}`)
      })
      return {}
    })
  }
}
