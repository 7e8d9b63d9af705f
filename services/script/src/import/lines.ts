import { isUtf8 } from 'node:buffer'
import { fault } from '@playtherapy/service-kit'

const [lineFeed, carriageReturn] = [10, 13]

/**
 * Turns every line break into a line feed, in place: ten million of them are too many for a change of the string. A line
 * break that was converted twice (CR CR LF) is one.
 */
function withLineFeeds(bytes: Uint8Array): Uint8Array {
  let to = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte === carriageReturn) {
      const next = bytes[at + 1]
      if (next === lineFeed || (next === carriageReturn && bytes[at + 2] === lineFeed)) continue
    }
    bytes[to++] = byte === carriageReturn ? lineFeed : byte
  }
  return bytes.subarray(0, to)
}

const utf8 = new TextDecoder()

/** The UTF-8 of a file; a byte order mark says that it is UTF-16. Throws `errors.invalidInput`. */
function utf8Of(bytes: Uint8Array, place: string[]): Uint8Array {
  const order =
    bytes[0] === 0xff && bytes[1] === 0xfe ? 'le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'be' : undefined
  try {
    if (order) return Buffer.from(new TextDecoder(`utf-16${order}`, { fatal: true }).decode(bytes))
  } catch {
    throw fault(place, 'is not whole UTF-16')
  }
  if (!isUtf8(bytes)) throw fault(place, 'is not UTF-8', 'encoding')
  return bytes
}

/**
 * The text of a file without its byte order mark, with `\n` between lines; changes the bytes. Throws
 * `errors.invalidInput` unless it is UTF-8, or UTF-16 with a byte order mark, without NUL.
 */
export function captionsText(bytes: Uint8Array, place: string[]): string {
  const encoded = utf8Of(bytes, place)
  if (encoded.includes(0)) throw fault(place, 'has a character that cannot be stored')
  return utf8.decode(withLineFeeds(encoded))
}

export interface Line {
  /** From 1, as in an editor. */
  number: number
  text: string
  /** Offset after its last character. */
  end: number
}

/** The lines of a captions file. */
export function* linesOf(text: string): Iterable<Line> {
  let number = 1
  for (let start = 0; start <= text.length; number++) {
    const found = text.indexOf('\n', start)
    const end = found < 0 ? text.length : found
    yield { number, text: text.slice(start, end), end }
    start = end + 1
  }
}
