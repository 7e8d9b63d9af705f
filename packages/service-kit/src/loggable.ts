import { wordsFor } from './reasons.ts'
import { scrub } from './scrub.ts'

/** How many stack frames are logged at most. */
const mostFrames = 12
/** How many errors of a chain of causes are logged at most, and how many of the errors that one error collects. */
const [mostCauses, mostTogether] = [6, 3]

/** Returns the frames of a stack without the message before them, whose lines can look like frames. */
function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message)
  return stack
    .slice(start === -1 ? 0 : start + message.length)
    .split('\n')
    .filter((line) => /^ {4}at .*:\d+:\d+\)?$/.test(line))
    .slice(0, mostFrames)
    .map((line) => line.trim())
}

/** A field of an error, if it is a text or number of this shape: other libraries put other things under the same names. */
function field(error: object, name: string, shape: RegExp): string | undefined {
  const value = name in error ? Reflect.get(error, name) : undefined
  return (typeof value === 'string' || typeof value === 'number') && shape.test(`${value}`) ? `${value}` : undefined
}

/**
 * The code of an error: of the system, of Node, a SQLSTATE, the name of an error of an S3 server, or the first word of what
 * Redis answers.
 */
function codeOf(error: Error): string | undefined {
  const code = field(error, 'code', /^[A-Z][A-Za-z0-9_]{1,47}$|^\d[0-9A-Z]{4}$/)
  if (code) return code
  if ('$metadata' in error) return field(error, 'name', /^[A-Z][A-Za-z]{1,63}$/)
  return error.name === 'ReplyError' ? /^[A-Z]{3,20}(?= )/.exec(error.message)?.[0] : undefined
}

/** Where a connection was to go. These are the system's own fields, never a URL. */
function placeOf(error: Error): string | undefined {
  const host = field(error, 'address', /^[\w.:-]{1,100}$/) ?? field(error, 'hostname', /^[\w.-]{1,253}$/)
  const port = field(error, 'port', /^\d{1,5}$/)
  return host && port ? `${host}:${port}` : host
}

const nameOf = (error: Error) => (/^[A-Z]\w{0,63}$/.test(error.name) ? error.name : 'Error')

/** The errors that this one names as its causes. */
function causesOf(error: Error): Error[] {
  const together: unknown[] = error instanceof AggregateError ? error.errors.slice(0, mostTogether) : []
  return [error.cause, ...together].filter((cause) => cause instanceof Error)
}

function partsOf(error: Error) {
  const [type, code] = [nameOf(error), codeOf(error)]
  const status = '$metadata' in error ? Object(error.$metadata).httpStatusCode : undefined
  return {
    type,
    code,
    // Some servers send a code and no text.
    message: scrub(error.message, [type, ...(code ? [code] : [])]) ?? wordsFor(code ?? ''),
    status: typeof status === 'number' ? status : undefined,
    syscall: field(error, 'syscall', /^[a-z0-9_]{1,20}$/),
    place: placeOf(error),
    table: field(error, 'table_name', /^[a-z0-9_]{1,63}$/),
    column: field(error, 'column_name', /^[a-z0-9_]{1,63}$/),
    constraint: field(error, 'constraint_name', /^[a-z0-9_]{1,63}$/),
  }
}

/** The errors of a chain of causes, which may be circular, from the outermost to the innermost. */
function chainOf(error: Error): Error[] {
  const chain = [error]
  for (const link of chain) {
    for (const cause of causesOf(link)) if (chain.length < mostCauses && !chain.includes(cause)) chain.push(cause)
  }
  return chain
}

/**
 * Returns what may be logged of an error: type, code, what {@link scrub} leaves of its message, where it happened, and the
 * same of its causes. `reason` says in plain words what {@link reasonOf} knows.
 */
export function loggable(error: unknown) {
  if (!(error instanceof Error)) return { type: typeof error }
  const chain = chainOf(error)
  const causes = chain.slice(1)
  return {
    ...partsOf(error),
    code: chain.map(codeOf).find((code) => code),
    reason: knownReason(error),
    stack: framesOf(error),
    causes: causes.length > 0 ? causes.map(partsOf) : undefined,
  }
}

/** What a code in the chain of causes means, and where; undefined when no code is known. */
function knownReason(error: Error): string | undefined {
  for (const link of chainOf(error)) {
    const [code, place] = [codeOf(link), placeOf(link)]
    const words = wordsFor(code ?? '') ?? wordsFor(link.name)
    if (words) return `${words} (${[place, code ?? link.name].filter(Boolean).join(', ')})`
  }
  return undefined
}

/** Says in a few words why something failed, for operators. It contains nothing that may not be logged. */
export function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return `a ${typeof error} was thrown`
  const known = knownReason(error)
  if (known) return known
  const innermost = chainOf(error).toReversed()
  const { type, code, message } = innermost.map(partsOf).find((parts) => parts.message) ?? partsOf(error)
  return [code ?? (type === 'Error' && message ? undefined : type), message].filter(Boolean).join(': ')
}
