import type { ObjectStore } from '@playtherapy/object-store'
import { sessions } from '@playtherapy/schema'
import { seedSession, type Teardown, testDatabase, testHost } from '@playtherapy/testing'
import { scriptApp } from '../src/app.ts'

type Body = NonNullable<RequestInit['body']>

interface Asked {
  body?: Body
  headers?: Record<string, string>
  userId?: number
  at?: Place
}

interface Answer {
  status: number
  body: { detail?: { loc: (string | number)[] }[] }
}

export interface Place {
  caseId: number
  sessionId: number
}

/** The part `script` of a form, as the client sends it. */
export function form(content: Uint8Array | string, name = 'script', fileName = 'script.json'): FormData {
  const body = new FormData()
  body.append(name, new Blob([content], { type: 'application/json' }), fileName)
  return body
}

/** A listening script service with this store, a session of therapist 7, and requests to it. */
export async function testScripts(t: Teardown, store: ObjectStore) {
  const { db, as } = await testDatabase(t)
  const host = await testHost(t, scriptApp({ db: as('script'), store, phase: 'LOCAL' }))

  const urlOf = ({ caseId, sessionId }: Place) => `${host.url}/contents/api/case/${caseId}/session/${sessionId}/script`
  const place = await seedSession(db, 7)

  const call = async (init: RequestInit, at: Place, headers: Record<string, string>): Promise<Answer> => {
    const response = await fetch(urlOf(at), { ...init, headers: { ...host.as(7), ...headers } })
    return { status: response.status, body: Object(await response.json()) }
  }
  return {
    db,
    host,
    place,
    addSession: (userId: number) => seedSession(db, userId),
    urlOf,
    /** Status and body of a response, for therapist 7 unless the headers name another. */
    post: (body: Body, at = place, headers: Record<string, string> = {}) => call({ method: 'POST', body }, at, headers),
    get: (at = place, headers: Record<string, string> = {}) => call({}, at, headers),
    /** A response of a route below the script's path, its text, and the text parsed as JSON. */
    async ask(method: string, path: string, { body, headers, userId = 7, at = place }: Asked = {}) {
      const init = { method, headers: { ...host.as(userId), ...headers }, ...(body !== undefined && { body }) }
      const response = await fetch(urlOf(at) + path, init)
      const bytes = Buffer.from(await response.arrayBuffer())
      const isJson = response.headers.get('content-type')?.startsWith('application/json') ?? false
      return {
        status: response.status,
        headers: Object.fromEntries(response.headers),
        bytes,
        text: bytes.toString(),
        body: isJson && method !== 'HEAD' ? JSON.parse(bytes.toString()) : undefined,
      }
    },
    /** The response to a GET of the script. */
    fetchScript: (at = place) => fetch(urlOf(at), { headers: host.as(7) }),
    /** All objects. */
    async objects(): Promise<string[]> {
      const keys: string[] = []
      for await (const { key } of store.list('script/')) keys.push(key)
      return keys.sort()
    },
    session: async (at = place) => {
      const rows = await db.select().from(sessions)
      return rows.find(({ id }) => id === at.sessionId)
    },
  }
}

export const saved = { status: 200, body: { msg: 'script upload success!' } }
export const record = { start_time: '00:00:01', end_time: '00:00:02.5', speaker: 'T', text: '안녕, 지우야' }
