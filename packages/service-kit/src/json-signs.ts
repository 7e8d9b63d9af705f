const backslash = 0x5c
export const [quote, comma, colon] = [0x22, 0x2c, 0x3a]
export const [openBracket, closeBracket, openBrace, closeBrace] = [0x5b, 0x5d, 0x7b, 0x7d]

/** The offset of the quotation mark that closes a text of JSON, or of the end of the bytes; `at` is where it opens. */
export function textEnd(bytes: Uint8Array, at: number): number {
  let end = at + 1
  while (end < bytes.length && bytes[end] !== quote) end += bytes[end] === backslash ? 2 : 1
  return end
}
