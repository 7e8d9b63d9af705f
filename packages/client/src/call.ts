import { ApiFailure, NetworkFailure } from './failures.ts'

/** A token, or a function that returns the current one. It is called for each request. */
export type Token = string | (() => string | Promise<string>)

export interface ClientOptions {
  /** The address of the services, such as `https://clinic.example`. It may end with a path. */
  url: string
  token?: Token
  /** Called when the service has refused a token (401), with that token: a newer one may be in use by then. */
  onRefused?: (token: string) => void
  /** Called with each response before its body is read, such as for its header `Date`. The body must be left alone. */
  onResponse?: (response: Response) => void
}

export interface CallOptions {
  signal?: AbortSignal | undefined
}

/** The argument of a call: the parameters of path, query and headers by their names, and the body as `body`. */
export type Request<Data> = Part<Data, 'path'> & Part<Data, 'query'> & Part<Data, 'headers'> & Body<Data>
type Part<Data, Name extends string> = Data extends { [key in Name]?: infer Values }
  ? NonNullable<Values> extends never
    ? unknown
    : NonNullable<Values>
  : unknown
/** Bytes in a form that `fetch` sends unchanged. */
type Bytes = Blob | ReadableStream<Uint8Array>
type Body<Data> = Data extends { body: infer Body }
  ? { body: Body extends Blob ? Bytes : Body }
  : Data extends { body?: infer Body }
    ? [NonNullable<Body>] extends [never]
      ? unknown
      : { body?: NonNullable<Body> extends Blob ? Bytes : Body }
    : unknown

/** How the request of an operation is made and its response is read. */
export interface Operation {
  method: string
  path: string
  /** The operation needs no token. */
  open?: boolean
  query?: string[]
  headers?: string[]
  /** The content type of its body. */
  body?: string
  gives: string
  /** Headers of the response that are returned, and their types. */
  answers?: Record<string, string>
}

/** Calls one operation. Throws `ApiFailure`, `NetworkFailure`, or the reason of the signal. */
export async function call(
  client: ClientOptions,
  operation: Operation,
  request: Record<string, unknown> = {},
  { signal }: CallOptions = {},
): Promise<unknown> {
  const headers = new Headers()
  const bearer = operation.open ? '' : await bearerOf(client)
  if (bearer) headers.set('authorization', `Bearer ${bearer}`)
  for (const name of operation.headers ?? []) {
    if (isGiven(request[name])) headers.set(name, String(request[name]))
  }
  const body = bodyOf(operation.body, request.body)
  if (operation.body && body !== undefined && !(body instanceof FormData)) headers.set('content-type', operation.body)
  const address = client.url.replace(/\/$/, '') + pathOf(operation, request)
  const init = {
    method: operation.method,
    headers,
    ...(body !== undefined && { body }),
    // `fetch` requires this for a body that is a stream.
    ...(body instanceof ReadableStream && { duplex: 'half' as const }),
    ...(signal && { signal }),
  }
  try {
    const response = await fetch(address, init)
    client.onResponse?.(response)
    if (response.status === 401) client.onRefused?.(bearer)
    if (!response.ok && response.status !== 304) throw new ApiFailure(response, await readJson(response))
    return await read(operation, response)
  } catch (error) {
    if (error instanceof ApiFailure) throw error
    signal?.throwIfAborted()
    throw new NetworkFailure('No answer came from the service', { cause: error })
  }
}

const isGiven = (value: unknown) => value !== undefined && value !== null

/** Returns the current token. */
export const bearerOf = async ({ token = '' }: ClientOptions): Promise<string> =>
  typeof token === 'function' ? token() : token

function pathOf({ path, query = [] }: Operation, request: Record<string, unknown>): string {
  const filled = path.replace(/\{([^}]+)\}/g, (_, name: string) => {
    const text = String(request[name] ?? '')
    // `URL` removes such a part, and the request would go to another route.
    if (/^\.{0,2}$/.test(text)) throw new TypeError(`${name} is missing`)
    return encodeURIComponent(text)
  })
  const search = new URLSearchParams()
  for (const name of query) if (isGiven(request[name])) search.set(name, String(request[name]))
  return search.size > 0 ? `${filled}?${search}` : filled
}

type Sent = string | FormData | Bytes

/** Makes the body of a request. A form is made of an object with files and texts by the names of their parts. */
function bodyOf(type: string | undefined, body: unknown): Sent | undefined {
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
  if (body instanceof Blob || body instanceof ReadableStream) return body
  throw new TypeError('The body must be a Blob or a stream')
}

/** `script-version` is returned as `scriptVersion`. */
const camel = (header: string) => header.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())

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
  // A body that is not read would keep its connection occupied.
  if (gives === 'none' || response.status === 304) await response.body?.cancel()
  const text = gives === 'none' || response.status === 304 ? undefined : await response.text()
  // An empty body in place of JSON does not come from the services, and `JSON.parse` refuses it.
  const data = gives === 'json' && text !== undefined ? JSON.parse(text) : text
  if (!answers) return data
  const told = Object.entries(answers).map(([name, type]) => {
    const value = response.headers.get(name) ?? undefined
    return [camel(name), type === 'number' && value !== undefined ? Number(value) : value]
  })
  return { data, ...Object.fromEntries(told) }
}
