import type { ObjectStore } from '@playtherapy/object-store'
import { checkDatabase, type Database, openDatabase } from '@playtherapy/schema'
import type { FastifyPluginAsync } from 'fastify'
import type { Static, TObject } from 'typebox'
import { createHost } from './host.ts'
import { closeOnSignals, drain } from './lifecycle.ts'
import type { DatabaseSettings, HttpSettings, LogSettings } from './settings.ts'

type ServeConfig = Static<TObject<typeof HttpSettings & typeof DatabaseSettings & typeof LogSettings>>

export interface ServiceProcess {
  name: string
  description: string
  config: ServeConfig
  /** Checked for readiness where the service cannot do without it, and closed at the end. */
  store: ObjectStore
  /** Whether a request needs the object store at once. */
  needsStore?: boolean
  app: (db: Database) => FastifyPluginAsync
}

/** A service as a process of its own: database, host with its one app, listener, graceful close. */
export async function serve({
  name,
  description,
  config,
  store,
  needsStore = true,
  app,
}: ServiceProcess): Promise<void> {
  const database = openDatabase({ url: config.DATABASE_URL, max: 8, applicationName: name })
  const { db } = database
  const host = await createHost({
    name,
    description,
    auth: {
      ...(config.JWT_SECRET && { jwtSecret: config.JWT_SECRET }),
      ...(config.JWT_PUBLIC_KEY && { jwtPublicKey: config.JWT_PUBLIC_KEY }),
      ...(config.JWT_AUDIENCE && { jwtAudience: config.JWT_AUDIENCE }),
      ...(config.JWT_ISSUER && { jwtIssuer: config.JWT_ISSUER }),
    },
    corsOrigins: config.CORS_ORIGINS.split(',').map((origin) => origin.trim()),
    logLevel: config.LOG_LEVEL,
    requestsPerMinute: config.REQUESTS_PER_MINUTE,
    ready: {
      database: () => checkDatabase(db),
      ...(needsStore && { objects: () => store.check() }),
    },
    apps: app(db),
  })
  await host.listen({ host: config.HOST, port: config.PORT })
  closeOnSignals({
    name,
    async close() {
      await drain(host)
      store.close()
      await database.close()
    },
  })
}
