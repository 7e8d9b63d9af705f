import { fault } from './errors.ts'
import { closeBrace, closeBracket, comma, openBrace, openBracket, quote, textEnd } from './json-signs.ts'

/** A longer number is refused without a look at its digits; the longest that a double needs has some 750 characters. */
const longestNumber = 1_000
/** Every shorter number without an exponent is kept. */
const shortNumber = 16
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
  if (text.length < shortNumber && !/e/i.test(text)) return true
  const value = Number(text)
  if (!Number.isFinite(value) || text.length > longestNumber) return false
  const [written, read] = [decimalOf(text), decimalOf(String(value))]
  if (written.digits === read.digits && (written.digits === '' || written.power === read.power)) return true
  const isFraction = written.power < 0 && value !== 0 && Math.abs(value) <= Number.MAX_SAFE_INTEGER
  return isFraction && written.digits.length <= keptDigits
}

const minus = 0x2d
const [zero, nine] = [0x30, 0x39]
const inNumber = new Set(Buffer.from('0123456789.eE+-'))

/**
 * Checks that numbers of a document, whose JSON is known to be valid, come back as they were sent once it has been parsed
 * and written again. Throws `errors.invalidInput` with the place below `root` of a number that would be changed, such as an
 * integer beyond 2^53. With `only`, nothing but the value of this key of the document is checked.
 */
export function checkExact(bytes: Uint8Array, root: string[], only?: string): void {
  const json = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const keyAt = (start: number, end: number) => String(JSON.parse(json.toString('utf8', start, end)))
  // For each array around a place the index in it, and for each object the offsets of the key.
  const levels: (number | [start: number, end: number])[] = []
  let isKeyNext = false
  let isChecked = only === undefined
  for (let at = 0; at < json.length; at++) {
    const byte = json[at]
    const start = at
    if (byte === quote) {
      at = textEnd(json, at)
      if (!isKeyNext) continue
      isKeyNext = false
      levels[levels.length - 1] = [start, at + 1]
      if (only !== undefined && levels.length === 1) isChecked = keyAt(start, at + 1) === only
    } else if (byte === comma) {
      const level = levels.at(-1)
      if (typeof level === 'number') levels[levels.length - 1] = level + 1
      else isKeyNext = true
    } else if (byte === openBrace || byte === openBracket) {
      isKeyNext = byte === openBrace
      levels.push(isKeyNext ? [at, at] : 0)
    } else if (byte === closeBrace || byte === closeBracket) {
      isKeyNext = false
      levels.pop()
    } else if (byte === minus || (byte !== undefined && byte >= zero && byte <= nine)) {
      while (inNumber.has(json[at + 1] ?? 0)) at++
      if (!isChecked || isKept(json.toString('latin1', start, at + 1))) continue
      const place = levels.map((level) => (typeof level === 'number' ? level : keyAt(...level)))
      throw fault([...root, ...place], 'is a number that would not come back as it is; send it as a text')
    }
  }
}
