import { errors, type Fault, fault, mostFaults, parseJson } from '@playtherapy/service-kit'
import { mostRecords, type ScriptRecord, scriptBounds } from '@playtherapy/versions/records'

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isRecord = (value: unknown): value is ScriptRecord =>
  isObject(value) && typeof value.speaker === 'string' && typeof value.text === 'string'

function faultsOf(record: unknown, at: Fault['loc']): Fault[] {
  if (!isObject(record)) return [{ loc: at, msg: 'must be an object', type: 'type' }]
  return ['speaker', 'text'].flatMap((field) => {
    if (typeof record[field] === 'string') return []
    const [msg, type] = field in record ? ['must be a string', 'type'] : ['is required', 'required']
    return [{ loc: [...at, field], msg, type }]
  })
}

/**
 * Checks that these bytes are a script: `{"scripts": [{"speaker": string, "text": string, …}]}`. Any other keys are
 * allowed. Returns its records. Throws `errors.invalidInput`, which names the faulty records below `place` by index.
 */
export function validateScript(bytes: Uint8Array, place: string[]): ScriptRecord[] {
  const script = parseJson(bytes, place, scriptBounds)
  if (!isObject(script)) throw fault(place, 'must be an object', 'type')
  const sent = script.scripts
  if (sent === undefined) throw fault([...place, 'scripts'], 'is required', 'required')
  if (!Array.isArray(sent)) throw fault([...place, 'scripts'], 'must be an array', 'type')
  if (sent.length > mostRecords) {
    throw fault([...place, 'scripts'], `must be at most ${mostRecords} records`, 'maxItems')
  }
  const records: ScriptRecord[] = []
  const faults: Fault[] = []
  for (const [index, record] of sent.entries()) {
    if (isRecord(record)) records.push(record)
    else faults.push(...faultsOf(record, [...place, 'scripts', index]))
    if (faults.length >= mostFaults) break
  }
  if (faults.length > 0) throw errors.invalidInput(faults)
  return records
}
