import { once } from 'node:events'
import { createServer, request } from 'node:http'
import { contentsApp } from '@playtherapy/contents/app'
import { mediaApp } from '@playtherapy/media/app'
import type { ObjectStore } from '@playtherapy/object-store'
import { renditions, sessions, videos } from '@playtherapy/schema'
import { scriptApp } from '@playtherapy/script/app'
import {
  type StoreBackend,
  type Teardown,
  type TestDatabase,
  testDatabase,
  testHost,
  testStore,
} from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { noteResponses, promised } from './documented.ts'

/**
 * All services on one host, as the local stack has them, over a fresh database and store, or over those given. The test fails if a route answers what the
 * OpenAPI document does not promise.
 */
export async function testServices(
  t: Teardown,
  backend: StoreBackend = 'file',
  options: Parameters<typeof testHost>[2] = {},
  given: { database?: TestDatabase; store?: ObjectStore } = {},
) {
  const { db, sql, as } = given.database ?? (await testDatabase(t))
  const store = given.store ?? (await testStore(t, backend))
  const resources = { store, phase: 'LOCAL' as const, uploadLimit: 1024 ** 2 }
  let seen = new Set<string>()
  const apps: Parameters<typeof testHost>[1] = async (root) => {
    seen = noteResponses(root)
    await root.register(contentsApp({ ...resources, db: as('contents'), timeZone: 'Asia/Seoul' }))
    await root.register(mediaApp({ ...resources, db: as('media') }))
    await root.register(scriptApp({ ...resources, db: as('script') }))
  }
  const host = await testHost(t, apps, options)
  const known = promised(await (await fetch(`${host.url}/documentation/json`)).json())
  t.teardown(() => {
    const others = [...seen].filter((response) => !known.has(response))
    if (others.length > 0) throw new Error(`the OpenAPI document lacks these responses: ${others.join(', ')}`)
  })
  return { ...host, db, sql, store }
}

/**
 * A way to an HTTP server under another address, as a gateway is one: Host and query pass unchanged. What matches
 * `unknown` it answers itself, as a server does that has not heard of it. It adds headers to every PUT.
 */
export async function publicAddress(
  t: Teardown,
  target: string,
  unknown = /^$/,
  added: Record<string, string> = {},
): Promise<string> {
  const gateway = createServer((incoming, answer) => {
    const url = incoming.url ?? '/'
    if (unknown.test(url)) return void answer.writeHead(501).end()
    const { method } = incoming
    const headers = { ...incoming.headers, ...(method === 'PUT' && added) }
    const onward = request(new URL(url, target), { method, headers })
    onward.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers)
      response.pipe(answer)
    })
    incoming.pipe(onward)
  }).listen(0, 'localhost')
  await once(gateway, 'listening')
  t.teardown(() => gateway.close())
  const address = gateway.address()
  return `http://localhost:${typeof address === 'object' ? address?.port : ''}`
}

/** Gives a session a video that can be played. */
export async function seedVideo(
  { db, store }: Awaited<ReturnType<typeof testServices>>,
  sessionId: number,
  bytes: Buffer = Buffer.from('not really a video, and nobody looks'),
) {
  const path = `LOCAL/seed/${sessionId}/1.mp4`
  const body = (async function* () {
    yield bytes
  })()
  const stored = await store.put(`video/${path}`, body, { contentType: 'video/mp4' })
  const [video] = await db
    .insert(videos)
    .values({ sessionId, state: 'encoded', path, container: 'mp4', storedAt: new Date(), ...stored })
    .returning()
  const [rendition] = await db
    .insert(renditions)
    .values({ sessionId, videoId: video?.id ?? 0, path, durationMs: 1000, width: 2, height: 2, ...stored })
    .returning()
  await db
    .update(sessions)
    .set({ videoId: video?.id ?? null, encodingStateId: 1 })
    .where(eq(sessions.id, sessionId))
  await db.update(sessions).set({ encodingStateId: 2 }).where(eq(sessions.id, sessionId))
  await db
    .update(sessions)
    .set({ encodingStateId: 3, renditionId: rendition?.id ?? null })
    .where(eq(sessions.id, sessionId))
}

const Described = Type.Object({
  security: Type.Array(Type.Unknown()),
  requestBody: Type.Optional(Type.Object({ content: Type.Record(Type.String(), Type.Unknown()) })),
})
const Document = Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Described)) })

export interface Operation {
  method: string
  /** With `{case_id}` and `{session_id}`. */
  path: string
  opensTo: 'therapist' | 'analysis' | 'operator'
  /** The content types that its body may have. */
  bodyTypes: string[]
}

/** Claims of a token that opens an operation: of this therapist, or of who else it is for. */
export const claimsFor = ({ opensTo }: Operation, userId: number): object =>
  opensTo === 'therapist' ? { user_id: userId } : { scope: opensTo === 'analysis' ? 'reports:write' : 'operations' }

const whoOpens = (method: string, path: string): Operation['opensTo'] => {
  if (path.startsWith('/contents/api/operations')) return 'operator'
  return method === 'post' && path.endsWith('/analyze-report') ? 'analysis' : 'therapist'
}

/**
 * Every operation that needs a token, or every other one, as the OpenAPI document has them: a new route cannot be forgotten.
 */
export async function operations(url: string, needsToken = true): Promise<Operation[]> {
  const response = await fetch(`${url}/documentation/json`)
  const { paths } = Value.Parse(Document, await response.json())
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods)
      .filter(([, { security }]) => security.length > 0 === needsToken)
      .map(([method, { requestBody }]) => ({
        method: method.toUpperCase(),
        path,
        opensTo: whoOpens(method, path),
        bodyTypes: Object.keys(requestBody?.content ?? {}),
      })),
  )
}

export const at = ({ path }: Pick<Operation, 'path'>, caseId: number | string, sessionId: number | string) =>
  path
    .replace('{case_id}', String(caseId))
    .replace('{session_id}', String(sessionId))
    .replace('{version}', '1')
    .replace('{id}', '1')
    // What it cannot do without.
    .replace(/script-search$/, '$&?keyword=x')
    .replace(/script\/changes$/, '$&?from=1')
