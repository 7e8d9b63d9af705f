import type { ObjectStore } from '@playtherapy/object-store'
import { checkDatabase, type Database, openDatabase } from '@playtherapy/schema'
import type { FastifyPluginAsync } from 'fastify'
import type { Static, TObject } from 'typebox'
import { requireEncryption } from './encryption.ts'
import { startHeartbeat } from './heartbeat.ts'
import { createHost } from './host.ts'
import { closeOnSignals, drain } from './lifecycle.ts'
import { authFrom, type DatabaseSettings, type HttpSettings, type LogSettings, type TraceSettings } from './settings.ts'
import { startTraces } from './traces.ts'

type ServeConfig = Static<
  TObject<typeof HttpSettings & typeof DatabaseSettings & typeof LogSettings & typeof TraceSettings>
>

export interface ServiceProcess {
  name: string
  description: string
  config: ServeConfig
  /** Checked for readiness if `needsStore`, and closed at the end. */
  store: ObjectStore
  /** Whether a request needs the object store before it is answered. */
  needsStore?: boolean
  app: (db: Database) => FastifyPluginAsync
}

/** Runs a service as a process: opens the database, builds the host with its one app, listens, and closes on signals. */
export async function serve({
  name,
  description,
  config,
  store,
  needsStore = true,
  app,
}: ServiceProcess): Promise<void> {
  await requireEncryption(store)
  const traces = await startTraces(name, config)
  const database = openDatabase({ url: config.DATABASE_URL, max: 8, applicationName: name })
  const { db } = database
  const host = await createHost({
    name,
    description,
    auth: authFrom(config),
    corsOrigins: config.CORS_ORIGINS.split(',').map((origin) => origin.trim()),
    logLevel: config.LOG_LEVEL,
    trustedProxy: config.TRUSTED_PROXY,
    requestsPerMinute: config.REQUESTS_PER_MINUTE,
    ready: { database: () => checkDatabase(db), ...(needsStore && { objects: () => store.check() }) },
    apps: app(db),
  })
  traces.log = host.log
  await host.listen({ host: config.HOST, port: config.PORT })
  const heartbeat = startHeartbeat({ db, kind: name, log: host.log })
  closeOnSignals({
    name,
    async close() {
      await Promise.all([drain(host), heartbeat.close()])
      store.close()
      await Promise.all([database.close(), traces.close()])
    },
  })
}
