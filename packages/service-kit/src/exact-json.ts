import { fault } from './errors.ts'

/** A longer number is refused without a look at its digits; the longest that a double needs has some 750 characters. */
const longestNumber = 1_000
/** Doubles keep this many digits of a fraction, and programs print no more of them. */
const keptDigits = 17

/** The digits of a decimal number without zeros at its ends, and the power of ten of the last one. */
function decimalOf(text: string): { digits: string; power: number } {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(text) ?? []
  const all = whole + fraction
  let end = all.length
  while (all[end - 1] === '0') end--
  return { digits: all.slice(0, end).replace(/^0+/, ''), power: Number(exponent) - fraction.length + all.length - end }
}

/** Whether JavaScript, and so every browser, reads this number as the one that was written. */
function isKept(text: string): boolean {
  const value = Number(text)
  if (!Number.isFinite(value) || text.length > longestNumber) return false
  const [written, read] = [decimalOf(text), decimalOf(String(value))]
  if (written.digits === read.digits && (written.digits === '' || written.power === read.power)) return true
  const isFraction = written.power < 0 && value !== 0 && Math.abs(value) <= Number.MAX_SAFE_INTEGER
  return isFraction && written.digits.length <= keptDigits
}

const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}[\],]/g

/** An object or array around a place: where we are in it, and the keys of an object so far. */
interface Level {
  at: string | number
  keys?: Set<string>
}

/**
 * Checks that a document, whose JSON is known to be valid, comes back as it was sent once it has been parsed and written
 * again. Throws `errors.invalidInput` with the place below `root` of a number that would be changed, such as an integer
 * beyond 2^53, and of a key that is there twice, of which only the last would stay. Only places for which `isStored` says so
 * are checked.
 */
export function checkExact(
  bytes: Uint8Array,
  root: string[],
  isStored: (place: (string | number)[]) => boolean = () => true,
): void {
  const levels: Level[] = []
  let isKeyNext = false
  for (const [token] of Buffer.from(bytes).toString().matchAll(tokens)) {
    const level = levels.at(-1)
    const refuse = (msg: string) => {
      const place = levels.map(({ at }) => at)
      if (isStored(place)) throw fault([...root, ...place], msg)
    }
    if (token === '{' || token === '[') {
      levels.push(token === '{' ? { at: '', keys: new Set() } : { at: 0 })
      isKeyNext = token === '{'
    } else if (token === '}' || token === ']') {
      levels.pop()
      isKeyNext = false
    } else if (token === ',') {
      isKeyNext = level?.keys !== undefined
      if (typeof level?.at === 'number') level.at++
    } else if (token.startsWith('"')) {
      if (!isKeyNext || !level?.keys) continue
      isKeyNext = false
      level.at = String(JSON.parse(token))
      if (level.keys.has(level.at)) refuse('is there twice')
      level.keys.add(level.at)
    } else if (!isKept(token)) refuse('is a number that would not come back as it is; send it as a text')
  }
}
