import type { ScriptRecord } from './records.ts'

/** A record with a key that stays while other records come and go. Keys are of this page alone. */
export interface Row {
  key: number
  record: ScriptRecord
}

/**
 * Rows in place of others: `before` becomes `after`. A row that is in both is edited; one that is only in `after` comes
 * below the row above it there, or else below the row `above`, which is null for the top.
 */
export interface Change {
  above: number | null
  /** Where it began when it was made; used where the row `above` is no longer there. */
  at: number
  before: Row[]
  after: Row[]
}

let lastKey = 0
export const newRow = (record: ScriptRecord): Row => ({ key: ++lastKey, record })

/** Are two values the same JSON, whatever the order of its keys? */
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

/** A member of a record, never an inherited one. */
const own = (record: ScriptRecord, name: string) => (Object.hasOwn(record, name) ? record[name] : undefined)

/** The members that differ, as they are in `after`; those that it lacks are undefined. */
function edits(before: ScriptRecord, after: ScriptRecord): [string, unknown][] {
  const names = new Set([...Object.keys(before), ...Object.keys(after)])
  return [...names].filter((name) => !same(own(before, name), own(after, name))).map((name) => [name, own(after, name)])
}

/** `current` with what changed from `before` to `after`; undefined where somebody else changed the same member. */
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
 * The rows with a change. Undefined where it cannot be made without loss: somebody else changed the same member of a
 * record, or changed or removed a record that it removes or edits.
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

/** A change to these rows that keeps all of `change`, and of what somebody else changed whatever it does not touch. */
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

/** The change that takes this one back. */
export const inverse = ({ before, after, ...place }: Change): Change => ({ ...place, before: after, after: before })

/** An operation of a JSON Patch (RFC 6902). */
export type Operation = { op: 'add' | 'replace'; path: string; value: unknown } | { op: 'remove'; path: string }

const pointer = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1')

/** What makes a change to the stored script with these rows; empty where there is nothing to do. */
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

/** How two versions of a script differ, as the service tells it: in order, without what is the same. */
export interface Comparison {
  counts: { same: number }
  changes: { before?: Place | undefined; after?: Place | undefined }[]
}
interface Place {
  index: number
  record: ScriptRecord
}

/** The rows of a later version: who is the same record keeps its key. Undefined if the rows are not those of `before`. */
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
