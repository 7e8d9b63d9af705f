import { isDeepStrictEqual } from 'node:util'
import { ajvOptions, checkExact, errors, fault, parseJson } from '@playtherapy/service-kit'
import { scriptBounds, scriptBytes } from '@playtherapy/versions/records'
import { Ajv } from 'ajv'
import { applyPatch } from 'rfc6902'
import { type Static, Type } from 'typebox'
import { type CheckedScript, checkScript, type Origin, type ReadScript, verified } from '../scripts/check.ts'

const mostOperations = 1000
/** Most characters of JSON, and most values, that the copies of one patch may add: as many as a script may have. */
const mostCopiedCharacters = scriptBytes
const mostCopiedValues = scriptBounds.values

const path = Type.String({ pattern: '^(/|$)', maxLength: 1000, description: 'JSON Pointer (RFC 6901)' })

/** A JSON Patch (RFC 6902); all its operations are applied, or none. */
export const Patch = Type.Array(
  Type.Union([
    Type.Object({ op: Type.Literal('add'), path, value: Type.Unknown() }),
    Type.Object({ op: Type.Literal('remove'), path }),
    Type.Object({ op: Type.Literal('replace'), path, value: Type.Unknown() }),
    Type.Object({ op: Type.Literal('move'), from: path, path }),
    Type.Object({ op: Type.Literal('copy'), from: path, path }),
    Type.Object({ op: Type.Literal('test'), path, value: Type.Unknown() }),
  ]),
  {
    title: 'ScriptPatch',
    maxItems: mostOperations,
    examples: [
      [
        { op: 'test', path: '/scripts/1/text', value: '인형이요' },
        { op: 'replace', path: '/scripts/1/text', value: '인형이요.' },
      ],
    ],
  },
)

type Operation = Static<typeof Patch>[number]

const missing = Symbol('nothing is there')

const arrayIndex = /^(0|[1-9]\d*)$/
/** Names that would change an object's prototype, and that the library skips when it reads a pointer. */
const forbidden = new Set(['__proto__', 'constructor', 'prototype'])

const tokensOf = (pointer: string) =>
  pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))

/**
 * The value at a pointer, or `missing`. Only own members are followed: with inherited ones, as in the library,
 * `/toString/call` would write into every object of the process, and `/scripts/length` would extend an array.
 */
function valueAt(document: unknown, tokens: string[]): unknown {
  let value = document
  for (const token of tokens) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return missing
    if (forbidden.has(token)) return missing
    if (Array.isArray(value) && !arrayIndex.test(token)) return missing
    value = Reflect.get(value, token)
  }
  return value
}

/** The number of values in a JSON text, or a little more where strings contain these signs. */
function valuesIn(json: string): number {
  let values = 1
  for (let at = 0; at < json.length; at++) if (',[{'.includes(json.charAt(at))) values++
  return values
}

/** Whether a value can be added at a pointer: to an object, or to an array, at most after its last element. */
function hasRoom(document: unknown, tokens: string[]): boolean {
  const parent = valueAt(document, tokens.slice(0, -1))
  const last = tokens.at(-1) ?? ''
  if (Array.isArray(parent)) return last === '-' || (arrayIndex.test(last) && Number(last) <= parent.length)
  return typeof parent === 'object' && parent !== null && !forbidden.has(last)
}

/**
 * Applies a JSON Patch (RFC 6902) to a parsed document, in place; after an error the document is half changed. The result
 * is any JSON, which the caller must validate. Throws `errors.invalidInput` with the index of an operation that points to
 * nothing, whose test fails, whose copies are too large, or that would replace, move or remove the whole document or put a
 * value inside itself; `place` is where the patch came from.
 */
export function patchDocument(document: object, patch: Operation[], place: string[]): void {
  let copied = 0
  let copiedValues = 0
  for (const [index, operation] of patch.entries()) {
    const refuse = (msg: string, type = 'json_patch') => fault([...place, index], msg, type)
    const { op, path } = operation
    const tokens = tokensOf(path)
    const apply = (simple: Parameters<typeof applyPatch>[1][number]) => {
      if (applyPatch(document, [simple]).some((error) => error !== null)) throw refuse('cannot be applied')
    }
    const add = (value: unknown) => {
      if (tokens.length === 0 || !hasRoom(document, tokens)) throw refuse('path has no room for a value')
      apply({ op: 'add', path, value })
    }
    const existing = (pointer: string) => {
      const value = valueAt(document, tokensOf(pointer))
      if (value === missing) throw refuse(`${pointer === path ? 'path' : 'from'} points to nothing`)
      return value
    }
    if (op === 'test') {
      if (!isDeepStrictEqual(existing(path), operation.value)) throw refuse('test failed', 'json_patch_test')
    } else if (op === 'add') {
      add(operation.value)
    } else if (op === 'copy') {
      const value = existing(operation.from)
      const json = JSON.stringify(value)
      copied += json.length
      if (copied > mostCopiedCharacters) throw refuse(`copies make more than ${mostCopiedCharacters} characters`)
      copiedValues += valuesIn(json)
      if (copiedValues > mostCopiedValues) throw refuse(`copies make more than ${mostCopiedValues} values`)
      add(value)
    } else if (op === 'move') {
      const value = existing(operation.from)
      if (operation.from === '' || path.startsWith(`${operation.from}/`))
        throw refuse('from cannot be moved into itself')
      if (path === operation.from) continue
      apply({ op: 'remove', path: operation.from })
      if (!hasRoom(document, tokens)) throw refuse('path has no room for a value')
      // Not by `add`, which would clone the value: a thousand moves of a script would take a minute.
      applyPatch({ value, document }, [{ op: 'move', from: '/value', path: `/document${path}` }])
    } else {
      existing(path)
      if (tokens.length === 0) throw refuse('path cannot be the whole document')
      apply(operation)
    }
  }
}

const isPatch = new Ajv(ajvOptions).compile<Operation[]>(Patch)

/**
 * Applies a validated patch, as JSON, to a stored script: see `patchDocument`. A number of the patch that would change is
 * `errors.invalidInput`; such numbers of the script become what a client reads. Copies into copies can nest so deep that
 * the stack overflows while they are cloned or written; that is `errors.invalidInput` too.
 */
export function patchScript({
  script,
  patch: json,
  ...origin
}: Origin & { script: ReadScript; patch: Uint8Array }): CheckedScript {
  const document = parseJson(verified(script), ['script'], scriptBounds)
  const patch = parseJson(json, ['body'])
  checkExact(json, ['body'])
  if (typeof document !== 'object' || document === null || !isPatch(patch)) throw errors.unexpected()
  let bytes: Uint8Array
  try {
    patchDocument(document, patch, origin.place)
    bytes = Buffer.from(JSON.stringify(document))
  } catch (error) {
    throw error instanceof RangeError ? fault(origin.place, 'makes a document that is nested too deep') : error
  }
  return checkScript({ bytes, ...origin })
}
