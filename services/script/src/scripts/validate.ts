import type { ScriptWarning } from '@playtherapy/schema'
import { errors, type Fault, fault, parseJson } from '@playtherapy/service-kit'

/** Most records of a script: some thirty hours of talk. */
const mostRecords = 100_000
/** Most faults, and most warnings, that are listed. */
const mostListed = 100

const place = ['body', 'script']
const time = /^\d\d:[0-5]\d:[0-5]\d(\.\d+)?$/

/** Times the client makes itself: none at the ends of a script, and after a field was cleared. */
const isOdd = (value: unknown) =>
  value !== undefined && value !== null && value !== '' && !(typeof value === 'string' && time.test(value))

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Checks that these bytes are a script: `{"scripts": [{"speaker": string, "text": string, …}]}`, with whatever other
 * keys. Answers the odd times, which are kept and only noted. Throws 422 that names the records at fault by index.
 */
export function validateScript(bytes: Uint8Array): ScriptWarning[] {
  const script = parseJson(bytes, place)
  if (!isObject(script)) throw fault(place, 'must be an object', 'type')
  const records = script.scripts
  if (records === undefined) throw fault([...place, 'scripts'], 'is required', 'required')
  if (!Array.isArray(records)) throw fault([...place, 'scripts'], 'must be an array', 'type')
  if (records.length > mostRecords) {
    throw fault([...place, 'scripts'], `must be at most ${mostRecords} records`, 'maxItems')
  }
  const faults: Fault[] = []
  const warnings: ScriptWarning[] = []
  for (const [index, record] of records.entries()) {
    const at = [...place, 'scripts', index]
    if (!isObject(record)) {
      faults.push({ loc: at, msg: 'must be an object', type: 'type' })
    } else {
      for (const field of ['speaker', 'text'] as const) {
        if (typeof record[field] === 'string') continue
        const [msg, type] = field in record ? ['must be a string', 'type'] : ['is required', 'required']
        faults.push({ loc: [...at, field], msg, type })
      }
      for (const field of ['start_time', 'end_time'] as const) {
        if (isOdd(record[field]) && warnings.length < mostListed) warnings.push({ record: index, field })
      }
    }
    if (faults.length >= mostListed) break
  }
  if (faults.length > 0) throw errors.invalidInput(faults.slice(0, mostListed))
  return warnings
}
