import { isDeepStrictEqual } from 'node:util'
import { parseTime, Script, type ScriptRecord, scriptBytes } from '@playtherapy/versions/records'
import fastJson from 'fast-json-stringify'
import { type Static, Type } from 'typebox'
import { toBytes } from '../records/bytes.ts'
import { type ReadScript, recordsOf } from '../scripts/check.ts'
import { type Pair, pairRecords } from './pair.ts'

const Kind = Type.Union([
  Type.Literal('added'),
  Type.Literal('removed'),
  Type.Literal('text'),
  Type.Literal('time'),
  Type.Literal('speaker'),
  Type.Literal('other'),
])
type Kind = Static<typeof Kind>

const Place = Type.Object({
  index: Type.Integer({ minimum: 0, description: 'Its place in that version' }),
  record: Script.properties.scripts.items,
})

/** The differences between two versions of a script, in order. Equal records are only counted. */
export const Changes = Type.Object(
  {
    counts: Type.Object({
      same: Type.Integer(),
      added: Type.Integer(),
      removed: Type.Integer(),
      text: Type.Integer({ description: 'Records whose text changed' }),
      time: Type.Integer({ description: 'Records that moved in time' }),
      speaker: Type.Integer({ description: 'Records whose speaker changed' }),
      other: Type.Integer({ description: 'Records with a change in another key' }),
    }),
    changes: Type.Array(
      Type.Object({ kinds: Type.Array(Kind), before: Type.Optional(Place), after: Type.Optional(Place) }),
    ),
  },
  {
    title: 'ScriptChanges',
    examples: [
      {
        counts: { same: 1, added: 0, removed: 0, text: 1, time: 0, speaker: 1, other: 0 },
        changes: [
          {
            kinds: ['text', 'speaker'],
            before: { index: 1, record: { start_time: '00:00:05', speaker: 'T', text: '인형이요' } },
            after: { index: 1, record: { start_time: '00:00:05', speaker: 'C', text: '인형이요.' } },
          },
        ],
      },
    ],
  },
)

/** `00:01:02` and `00:01:02.0` are the same time. */
const sameTime = (a: unknown, b: unknown) => isDeepStrictEqual(parseTime(a) ?? a ?? '', parseTime(b) ?? b ?? '')

const rest = ({ start_time, end_time, speaker, text, ...others }: ScriptRecord) => others

function kindsOf({ before, after }: Pair): Kind[] {
  if (!before) return ['added']
  if (!after) return ['removed']
  const [a, b] = [before.record, after.record]
  const changed: Kind[] = []
  if (a.text !== b.text) changed.push('text')
  if (!sameTime(a.start_time, b.start_time) || !sameTime(a.end_time, b.end_time)) changed.push('time')
  if (a.speaker !== b.speaker) changed.push('speaker')
  if (!isDeepStrictEqual(rest(a), rest(b))) changed.push('other')
  return changed
}

/** Compares two versions, record by record as `pairRecords` pairs them. A missing time equals a null or an empty one. */
export function scriptChanges(before: ScriptRecord[], after: ScriptRecord[]): Static<typeof Changes> {
  const counts = { same: 0, added: 0, removed: 0, text: 0, time: 0, speaker: 0, other: 0 }
  const changes: Static<typeof Changes>['changes'] = []
  for (const pair of pairRecords(before, after)) {
    const changed = kindsOf(pair)
    for (const kind of changed) counts[kind]++
    if (changed.length > 0) changes.push({ kinds: changed, ...pair })
    else counts.same++
  }
  return { counts, changes }
}

/** Largest comparison: both scripts whole, and the kinds and places of all records. */
const comparisonBytes = 3 * scriptBytes

const stringifyCounts = fastJson(Changes.properties.counts)
const stringifyChange = fastJson(Changes.properties.changes.items)

/** Compares two stored versions; returns JSON. Throws `errors.tooLarge` beyond three of the largest scripts. */
export function compareScripts({ before, after }: { before: ReadScript; after: ReadScript }): Uint8Array {
  const { counts, changes } = scriptChanges(recordsOf(before), recordsOf(after))
  function* json() {
    yield `{"counts":${stringifyCounts(counts)},"changes":[`
    for (const [index, change] of changes.entries()) yield (index > 0 ? ',' : '') + stringifyChange(change)
    yield ']}'
  }
  return toBytes(json(), comparisonBytes)
}
