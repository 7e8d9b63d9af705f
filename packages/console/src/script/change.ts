import type { ScriptRecord } from './records.ts'

/** A record with a key that stays the same when other records are added or removed. Only this page knows the keys. */
export interface Row {
  key: number
  record: ScriptRecord
}

/**
 * A change replaces the rows `before` by the rows `after`. A row in both lists is edited. A row in `after` alone is inserted below the row
 * above it in `after`, or, if it is the first one there, below the row with the key `above` (null for the top of the script).
 */
export interface Change {
  above: number | null
  /** The index of its first row when the change was made. It is used when the row `above` no longer exists. */
  at: number
  before: Row[]
  after: Row[]
}

let lastKey = 0
export const newRow = (record: ScriptRecord): Row => ({ key: ++lastKey, record })

/** Are two values the same JSON? The order of keys does not matter. */
export function same(a: unknown, b: unknown): boolean {
  if (a === b) return true
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
  if (Array.isArray(a) !== Array.isArray(b)) return false
  const keys = Object.keys(a)
  return (
    keys.length === Object.keys(b).length &&
    keys.every((key) => Object.hasOwn(b, key) && same(Reflect.get(a, key), Reflect.get(b, key)))
  )
}

/** A member of a record; inherited members do not count. */
const own = (record: ScriptRecord, name: string) => (Object.hasOwn(record, name) ? record[name] : undefined)

/** The members that differ, with their values in `after`; the value of a removed member is undefined. */
function edits(before: ScriptRecord, after: ScriptRecord): [string, unknown][] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) => !same(own(before, name), own(after, name))).map((name) => [name, own(after, name)])
}

/** Applies the difference of `before` and `after` to `current`. Returns undefined if another person has changed the same member. */
function merged(
  current: ScriptRecord,
  before: ScriptRecord,
  after: ScriptRecord,
  insists = false,
): ScriptRecord | undefined {
  const changed = edits(before, after)
  for (const [name, value] of changed) {
    const now = own(current, name)
    if (!insists && !same(now, own(before, name)) && !same(now, value)) return undefined
  }
  const result: ScriptRecord = { ...current, ...Object.fromEntries(changed) }
  for (const [name, value] of changed) if (value === undefined) delete result[name]
  return result
}

/**
 * Returns the rows with a change applied. Returns undefined if that would lose a change of another person: to the same member of a
 * record, or to a record that this change edits or removes.
 */
export function applyChange(rows: readonly Row[], { above, at, before, after }: Change): Row[] | undefined {
  const afterByKey = new Map(after.map((row) => [row.key, row]))
  const current = new Map<number, Row>()
  const touched = new Set([...before, ...after].map(({ key }) => key))
  for (const row of rows) if (touched.has(row.key)) current.set(row.key, row)
  const edited = new Map<number, Row>()
  const removed = new Set<number>()
  for (const { key, record } of before) {
    const now = current.get(key)
    const wanted = afterByKey.get(key)
    if (wanted) {
      const result = now && merged(now.record, record, wanted.record)
      if (!result) return undefined
      edited.set(key, { key, record: result })
    } else if (now && !same(now.record, record)) return undefined
    else removed.add(key)
  }
  const next = rows.filter(({ key }) => !removed.has(key)).map((row) => edited.get(row.key) ?? row)
  let place = above === null ? 0 : next.findIndex(({ key }) => key === above) + 1
  if (above !== null && place === 0) place = Math.min(at, next.length)
  for (const row of after) {
    const found = current.has(row.key) ? next.findIndex(({ key }) => key === row.key) : -1
    if (found >= 0) place = found + 1
    else next.splice(place++, 0, row)
  }
  return next
}

/**
 * Makes a change that can be applied to these rows: it keeps all of `change`, and every member that another person changed and `change`
 * does not.
 */
export function insisting(rows: readonly Row[], change: Change): Change {
  const [before, after] = [change.before, change.after].map((some) => new Map(some.map((row) => [row.key, row.record])))
  const theirs = rows.filter(({ key }) => before?.has(key) || after?.has(key))
  const now = new Map(theirs.map(({ key, record }) => [key, record]))
  const mine = change.after.map(({ key, record }) => {
    const [current, first] = [now.get(key), before?.get(key)]
    return { key, record: (current && first && merged(current, first, record, true)) ?? record }
  })
  return { ...change, before: theirs, after: mine }
}

/** The change that undoes this one. */
export const inverse = ({ before, after, ...place }: Change): Change => ({ ...place, before: after, after: before })

/** An operation of a JSON Patch (RFC 6902). */
export type Operation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

const pointer = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** The JSON Patch that applies a change to the stored script with these rows; empty if the change alters nothing. */
export function toPatch(rows: readonly Row[], change: Change, next: readonly Row[]): Operation[] {
  const touched = new Set([...change.before, ...change.after].map(({ key }) => key))
  const places = (all: readonly Row[]) =>
    new Map(all.flatMap((row, index) => (touched.has(row.key) ? [[row.key, { index, row }] as const] : [])))
  const [now, later] = [places(rows), places(next)]
  const operations: Operation[] = []
  for (const [key, { index, row }] of now) {
    for (const [name, value] of edits(row.record, later.get(key)?.row.record ?? row.record)) {
      const path = `/scripts/${index}/${pointer(name)}`
      if (value === undefined) operations.push({ op: 'remove', path })
      else operations.push({ op: Object.hasOwn(row.record, name) ? 'replace' : 'add', path, value })
    }
  }
  for (const [key, { index }] of [...now].reverse())
    if (!later.has(key)) operations.push({ op: 'remove', path: `/scripts/${index}` })
  for (const [key, { index, row }] of later)
    if (!now.has(key)) operations.push({ op: 'add', path: `/scripts/${index}`, value: row.record })
  return operations
}

/** The difference of two versions of a script, as the service returns it: changed records in their order. */
export interface Comparison {
  counts: { same: number }
  changes: { before?: Place | undefined; after?: Place | undefined }[]
}
interface Place {
  index: number
  record: ScriptRecord
}

/**
 * The rows of a later version; a record that is in both versions keeps its key. Undefined if `rows` are not those of the earlier version.
 */
export function laterRows(rows: readonly Row[], { counts, changes }: Comparison): Row[] | undefined {
  const removed = new Set<number>()
  const edited = new Map<number, ScriptRecord>()
  const added = new Map<number, ScriptRecord>()
  for (const { before, after } of changes) {
    if (before && after) edited.set(before.index, after.record)
    else if (before) removed.add(before.index)
    else if (after) added.set(after.index, after.record)
  }
  if (counts.same + edited.size + removed.size !== rows.length) return undefined
  const kept = rows.flatMap((row, index) => {
    const record = edited.get(index)
    return removed.has(index) ? [] : record ? [{ key: row.key, record }] : [row]
  })
  let next = 0
  return Array.from({ length: kept.length + added.size }, (_, index) => {
    const record = added.get(index)
    return record ? newRow(record) : kept[next++]
  }).filter((row) => row !== undefined)
}
