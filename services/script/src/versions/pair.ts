import { parseTime, type ScriptRecord, squeezed } from '@playtherapy/versions/records'
import { diffArrays } from 'diff'

/** A record and its index in its version. */
type Placed = { index: number; record: ScriptRecord }

/** Records of both versions that belong together; one alone was removed or added. */
export interface Pair {
  before?: Placed
  after?: Placed
}

/** The records of both versions between the same two pairs. */
type Stretch = { before: Placed[]; after: Placed[] }

/** Records with the same key belong together; the surest rule is first. Undefined is no key. */
const rules: ((record: ScriptRecord) => string | undefined)[] = [
  ({ speaker, text, start_time }) => JSON.stringify([speaker, text, start_time]),
  ({ text }) => squeezed(text) || undefined,
  ({ start_time }) => parseTime(start_time)?.toString(),
]

/**
 * Most edits that one search for common records allows; its cost is their square. Beyond that, with hundreds of common
 * records in another order, the next rule is tried.
 */
const mostEdits = 1500
/** Most edits squared of all searches of a comparison: there may be a search between any two pairs. */
const mostCost = 4 * mostEdits ** 2

/** What is left of `mostCost`. */
type Budget = { cost: number }

/**
 * Pairs the records of two versions. Every record is in exactly one pair; the pairs keep the order of both versions, with
 * removed records before added ones. A record that was moved past another is removed and added. Each rule pairs records
 * between the pairs of the rule before:
 * 1. same speaker, text and start;
 * 2. same text, with other times or another speaker;
 * 3. same start, with another text;
 * 4. equal numbers left before and after: these were edited in place, and are paired one by one.
 */
export function pairRecords(before: ScriptRecord[], after: ScriptRecord[]): Pair[] {
  const placed = (records: ScriptRecord[]) => records.map((record, index) => ({ index, record }))
  return pairBy(0, { before: placed(before), after: placed(after) }, { cost: mostCost })
}

function pairBy(depth: number, stretch: Stretch, budget: Budget): Pair[] {
  const rule = rules[depth]
  if (!rule || stretch.before.length === 0 || stretch.after.length === 0) return settle(stretch)
  const pairs: Pair[] = []
  let [left, right] = [0, 0]
  for (const pair of [...commonRecords(stretch, rule, budget), undefined]) {
    const nextLeft = pair ? stretch.before.indexOf(pair.before, left) : stretch.before.length
    const nextRight = pair ? stretch.after.indexOf(pair.after, right) : stretch.after.length
    const gap = { before: stretch.before.slice(left, nextLeft), after: stretch.after.slice(right, nextRight) }
    for (const found of pairBy(depth + 1, gap, budget)) pairs.push(found)
    if (pair) pairs.push(pair)
    left = nextLeft + 1
    right = nextRight + 1
  }
  return pairs
}

/** The longest ordered sequence of pairs with equal keys; empty where the search would cost too much. */
function commonRecords(
  { before, after }: Stretch,
  rule: (record: ScriptRecord) => string | undefined,
  budget: Budget,
): Required<Pair>[] {
  const keyed = (placed: Placed[]) => placed.map((one) => ({ one, key: rule(one.record) }))
  const [left, right] = [keyed(before), keyed(after)]
  // Only keys of both sides can pair. The others would use up edits.
  const known = new Set(left.map(({ key }) => key))
  const common = new Set(right.flatMap(({ key }) => (key !== undefined && known.has(key) ? [key] : [])))
  const isCommon = ({ key }: { key: string | undefined }) => key !== undefined && common.has(key)
  const [lefts, rights] = [left.filter(isCommon), right.filter(isCommon)]
  const pairs: Required<Pair>[] = []
  const maxEditLength = Math.min(mostEdits, Math.floor(Math.sqrt(budget.cost)))
  const changes = diffArrays(lefts, rights, { comparator: (a, b) => a.key === b.key, maxEditLength })
  const edits = changes?.reduce((sum, { added, removed, count }) => sum + (added || removed ? count : 0), 0)
  budget.cost -= (edits ?? maxEditLength) ** 2
  if (!changes) return []
  let [l, r] = [0, 0]
  for (const { added, removed, count } of changes) {
    for (let step = 0; !added && !removed && step < count; step++) {
      const [a, b] = [lefts[l + step], rights[r + step]]
      if (a && b) pairs.push({ before: a.one, after: b.one })
    }
    if (!added) l += count
    if (!removed) r += count
  }
  return pairs
}

/** The pairs of records that no rule paired. */
function settle({ before, after }: Stretch): Pair[] {
  if (before.length !== after.length)
    return [...before.map((one) => ({ before: one })), ...after.map((one) => ({ after: one }))]
  return before.flatMap((one, index) => {
    const other = after[index]
    return other ? [{ before: one, after: other }] : []
  })
}
