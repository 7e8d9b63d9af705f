import { ApiFailure, NetworkFailure } from './failures.ts'

/** A token, or a function that returns the one of the moment. */
export type Token = string | (() => string | Promise<string>)

export interface ClientOptions {
  /** Where the services are, such as `https://clinic.example`; a path at its end is kept. */
  url: string
  token?: Token
}

export interface CallOptions {
  signal?: AbortSignal | undefined
}

/** What a call takes: the parameters of path, query and headers by their names, and the body as `body`. */
export type Request<Data> = Part<Data, 'path'> & Part<Data, 'query'> & Part<Data, 'headers'> & Body<Data>
type Part<Data, Name extends string> = Data extends { [key in Name]?: infer Values }
  ? NonNullable<Values> extends never
    ? unknown
    : NonNullable<Values>
  : unknown
type Body<Data> = Data extends { body: infer Body } ? { body: Body } : unknown

/** How an operation is sent and read. */
export interface Operation {
  method: string
  path: string
  /** It takes no token. */
  open?: boolean
  query?: string[]
  headers?: string[]
  /** The content type of its body. */
  body?: string
  gives: string
  /** Headers of the response that are returned. */
  answers?: string[]
}

/** Calls one operation. Throws `ApiFailure`, `NetworkFailure`, or the reason of the signal. */
export async function call(
  { url, token = '' }: ClientOptions,
  operation: Operation,
  request: Record<string, unknown> = {},
  { signal }: CallOptions = {},
): Promise<unknown> {
  const headers = new Headers()
  const bearer = operation.open ? '' : typeof token === 'function' ? await token() : token
  if (bearer) headers.set('authorization', `Bearer ${bearer}`)
  for (const name of operation.headers ?? []) {
    if (request[name] !== undefined) headers.set(name, String(request[name]))
  }
  const body = bodyOf(operation.body, request.body)
  if (operation.body && typeof body === 'string') headers.set('content-type', operation.body)
  const init = { method: operation.method, headers, ...(body !== undefined && { body }), ...(signal && { signal }) }
  try {
    const response = await fetch(url.replace(/\/$/, '') + pathOf(operation, request), init)
    if (!response.ok && response.status !== 304) throw new ApiFailure(response, await readJson(response))
    return await read(operation, response)
  } catch (error) {
    if (error instanceof ApiFailure) throw error
    signal?.throwIfAborted()
    throw new NetworkFailure('No answer came from the service', { cause: error })
  }
}

function pathOf({ path, query = [] }: Operation, request: Record<string, unknown>): string {
  const filled = path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const text = String(request[name] ?? '')
    // A URL would lose such a part, and be that of something else.
    if (/^\.{0,2}$/.test(text)) throw new TypeError(`${name} is missing`)
    return encodeURIComponent(text)
  })
  const search = new URLSearchParams()
  for (const name of query) if (request[name] !== undefined) search.set(name, String(request[name]))
  return search.size > 0 ? `${filled}?${search}` : filled
}

/** A form is made of an object: files and texts by the names of its parts. */
function bodyOf(type: string | undefined, body: unknown): NonNullable<RequestInit['body']> | undefined {
  if (type === undefined || body === undefined) return undefined
  if (type.endsWith('json')) return JSON.stringify(body)
  const parts: [string, unknown][] = Object.entries(Object(body))
  if (type === 'application/x-www-form-urlencoded') {
    return new URLSearchParams(parts.map(([name, value]): [string, string] => [name, String(value)])).toString()
  }
  if (type === 'multipart/form-data') {
    const form = new FormData()
    for (const [name, value] of parts) {
      if (value instanceof Blob) form.append(name, value)
      else form.append(name, String(value))
    }
    return form
  }
  return body instanceof Blob ? body : undefined
}

async function readJson(response: Response): Promise<unknown> {
  const text = await response.text()
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

async function read({ gives, answers }: Operation, response: Response): Promise<unknown> {
  if (gives === 'bytes') return response
  const text = gives === 'none' ? undefined : await response.text()
  const data = gives === 'json' && text ? JSON.parse(text) : text
  if (!answers) return data
  const told = answers.map((name) => {
    const value = response.headers.get(name)
    const isNumber = name.endsWith('version') && value !== null && /^\d+$/.test(value)
    return [name.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase()), isNumber ? Number(value) : value]
  })
  return { data, ...Object.fromEntries(told) }
}
