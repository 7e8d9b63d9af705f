import { setTimeout } from 'node:timers/promises'
import { PermanentError } from '@playtherapy/jobs'
import { type Static, type TSchema, Type } from 'typebox'
import { Value } from 'typebox/value'

/** An OpenAI-compatible server, as the operator configured it. */
export interface Analyser {
  /** Up to and with its version, without a slash at the end. */
  url: string
  apiKey?: string
  model: string
  /** Milliseconds that one answer may take, five minutes less a little by default. */
  timeoutMs?: number
}

export interface Question<S extends TSchema> {
  system: string
  user: string
  /** What the answer must be; sent along, and checked all the same. */
  schema: S
  signal: AbortSignal
}

/** Tries of one request within a job's try; the job itself comes back later. */
const tries = 3
/** Longest wait that a server may ask for within a try, in milliseconds. */
const longestWait = 30_000
/** Bytes of an answer. */
const largestAnswer = 4 * 1024 ** 2

const refused = 'The analyser refused the request.'
const unusable = 'The analyser gave no usable answer.'

const Completion = Type.Object({
  choices: Type.Array(Type.Object({ message: Type.Object({ content: Type.String() }) }), { minItems: 1 }),
})

/**
 * Asks for a JSON document. An answer that is none, or not of the schema, is asked for once more with its fault named;
 * then it is a PermanentError. 429 and 5xx are tried again after the pause the server asks for, then thrown.
 */
export async function ask<S extends TSchema>(analyser: Analyser, question: Question<S>): Promise<Static<S>> {
  const { system, user, schema, signal } = question
  const messages = [
    { role: 'system', content: system },
    { role: 'user', content: user },
  ]
  for (let again = false; ; again = true) {
    const body = {
      model: analyser.model,
      messages,
      response_format: { type: 'json_schema', json_schema: { name: 'report', strict: true, schema } },
    }
    const text = await request(analyser, JSON.stringify(body), signal)
    const completion = read(text, Completion)
    const content = 'value' in completion ? completion.value.choices[0]?.message.content : undefined
    const answer = content === undefined ? { fault: 'no message' } : read(content, schema)
    if ('value' in answer) return answer.value
    if (again) throw new PermanentError(unusable)
    // What it said is not sent back: it may be as large as it is wrong.
    messages.push({ role: 'user', content: `Your last answer was not valid: ${answer.fault}. Answer again.` })
  }
}

/** A text as JSON of this schema, or what is wrong with it. */
function read<S extends TSchema>(text: string, schema: S): { value: Static<S> } | { fault: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { fault: 'it is not JSON' }
  }
  if (Value.Check(schema, value)) return { value }
  const [error] = Value.Errors(schema, value)
  return { fault: `${error?.instancePath || 'the document'} ${error?.message}`.slice(0, 300) }
}

async function request(analyser: Analyser, body: string, signal: AbortSignal): Promise<string> {
  const { url, apiKey, timeoutMs = 280_000 } = analyser
  for (let attempt = 1; ; attempt += 1) {
    const response = await fetch(`${url}/chat/completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...(apiKey && { authorization: `Bearer ${apiKey}` }) },
      body,
      // The script and the key go to the address that was configured and to no other.
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    })
    if (response.ok) return await bounded(response)
    await response.body?.cancel()
    const { status } = response
    if (status !== 429 && status < 500) throw new PermanentError(refused)
    const wait = waitOf(response.headers.get('retry-after')) ?? 1_000 * attempt
    if (attempt === tries || wait > longestWait) throw new Error(`the analyser answered ${status}`)
    await setTimeout(wait, undefined, { signal })
  }
}

/** Milliseconds of a Retry-After, in seconds or as a date. */
function waitOf(header: string | null): number | undefined {
  if (!header) return undefined
  const wait = /^\d+$/.test(header) ? Number(header) * 1_000 : Date.parse(header) - Date.now()
  return Number.isNaN(wait) ? undefined : Math.max(0, wait)
}

async function bounded(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength
    if (size > largestAnswer) throw new PermanentError(unusable)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}
