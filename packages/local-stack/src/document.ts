import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import { createFileStore, fileRoutes } from '@playtherapy/object-store'
import { openDatabase } from '@playtherapy/schema'
import { scriptApp } from '@playtherapy/script/app'
import { createHost } from '@playtherapy/service-kit/host'
import { signInApp } from './sign-in/app.ts'

/** The OpenAPI document of all services, as `npm start` serves it. Nothing is connected to. */
export async function openApiDocument(): Promise<object> {
  const database = openDatabase({ url: 'postgres://nobody@127.0.0.1:1/none', max: 1, applicationName: 'document' })
  const { db } = database
  const store = createFileStore({ directory: '/nonexistent', publicUrl: 'http://localhost:8080', secret: 'of nothing' })
  const resources = { db, store, phase: 'LOCAL' as const, uploadLimit: 1 }
  const host = await createHost({
    name: 'PlayTherapy',
    description: 'Cases, sessions, recordings, scripts and analysis reports: all services of the local stack.',
    auth: { jwtSecret: 'a secret that signs nothing, of forty characters' },
    corsOrigins: [],
    logLevel: 'silent',
    requestsPerMinute: 1,
    ready: {},
    apps: async (root) => {
      await root.register(contentsApp({ ...resources, timeZone: 'Asia/Seoul' }))
      await root.register(mediaApp(resources))
      await root.register(scriptApp(resources))
      await root.register(signInApp, { prefix: '/auth/api', db, sign: () => '' })
      await root.register(fileRoutes({ store }))
    },
  })
  try {
    await host.ready()
    return host.swagger()
  } finally {
    await host.close()
    await database.close()
  }
}
