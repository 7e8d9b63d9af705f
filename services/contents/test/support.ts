import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore, type FileStore } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { type Teardown, type TestDatabase, type TestHost, testDatabase, testHost } from '@playtherapy/testing'
import { contentsApp } from '../src/app.ts'

/** Status and parsed body of a response. */
export type Answer = [status: number, body: unknown]

export interface Contents {
  db: Database
  as: TestDatabase['as']
  store: FileStore
  host: TestHost
  /** Sends a request as a therapist or with these headers; a text or bytes are sent as they are, all else as JSON. */
  call(who: number | object, method: string, path: string, body?: unknown): Promise<Answer>
  /** These create a case or session and return its id. */
  newCase(userId: number, body?: object): Promise<number>
  newSession(userId: number, caseId: number, data?: object): Promise<number>
}

/** Returns the same database, which reports how many rows each of its prepared statements has read. */
function counted(db: Database, rowsRead: (count: number) => void): Database {
  const unsafe = new Proxy(db.$client.unsafe, {
    apply(target, self, values) {
      const query = Reflect.apply(target, self, values)
      query.then(
        (rows: unknown[]) => rowsRead(rows.length),
        () => {},
      )
      return query
    },
  })
  const client = new Proxy(db.$client, {
    get: (target, key) => (key === 'unsafe' ? unsafe : Reflect.get(target, key)),
  })
  return new Proxy(db, { get: (target, key) => (key === '$client' ? client : Reflect.get(target, key)) })
}

/** Starts the contents service on a new database and a new folder store. */
export async function contents(
  t: Teardown,
  {
    timeZone = 'Asia/Seoul',
    uploadLimit = 1_000_000,
    announceMs = 15_000,
    heartbeatMs = 15_000,
    rowsRead = (_count: number) => {},
    trustedProxy = undefined as string | undefined,
  } = {},
): Promise<Contents> {
  const { db, as } = await testDatabase(t)
  const directory = await mkdtemp(join(tmpdir(), 'contents-test-'))
  t.teardown(() => rm(directory, { recursive: true, force: true }))
  const store = createFileStore({ directory, publicUrl: 'http://objects.test', secret: 'a secret for tests only' })
  const host = await testHost(
    t,
    contentsApp({
      db: counted(as('contents'), rowsRead),
      store,
      phase: 'LOCAL',
      timeZone,
      uploadLimit,
      announceMs,
      heartbeatMs,
    }),
    { trustedProxy },
  )

  const call: Contents['call'] = async (who, method, path, body) => {
    const raw = typeof body === 'string' || body instanceof Uint8Array
    const response = await fetch(`${host.url}/contents/api/case${path}`, {
      method,
      headers: {
        ...(typeof who === 'number' ? host.as(who) : who),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: raw ? body : JSON.stringify(body) }),
    })
    return [response.status, await response.json()]
  }
  const idOf = ([status, body]: Answer) => {
    const id: unknown = typeof body === 'object' && body !== null && 'id' in body ? body.id : undefined
    if (status !== 200 || typeof id !== 'number') throw new Error(`no id in ${JSON.stringify(body)}`)
    return id
  }
  return {
    db,
    as,
    store,
    host,
    call,
    newCase: async (userId, body) => idOf(await call(userId, 'POST', '', { given_name: '지우', ...body })),
    newSession: async (userId, caseId, data) =>
      idOf(await call(userId, 'POST', `/${caseId}/session`, { data: { name: 'First', ...data } })),
  }
}

/** The response that refuses input because of errors at these places. */
export const invalid = (...places: (string | number)[][]) => [
  422,
  { message: 'The request is not valid', error_code: 8, detail: places.map((loc) => ({ loc })) },
]

/** Returns the ids of a list. */
export const ids = ([status, body]: Answer) => {
  if (status !== 200 || !Array.isArray(body)) throw new Error(`no list: ${JSON.stringify(body)}`)
  return body.map((item: { id: number }) => item.id)
}
