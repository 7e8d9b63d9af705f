/**
 * Composes letters and marks (NFC), above all Korean syllables, which come in parts from a Mac, as a keyboard types them.
 * A run of marks is composed thirty at a time (stream-safe text format, UAX #15, section 13), because `normalize` needs
 * time by the square of its length. NUL separates the groups, because no stored text contains it.
 */
export const compose = (text: string): string =>
  text
    .replace(/\p{M}{30}/gu, '$&\0')
    .normalize('NFC')
    .replaceAll('\0', '')

/**
 * A text as every search compares it: composed, in lower case, without characters that nobody sees, and with one space
 * for any white space. The function `search_fold` of the database (the migration `fold`) does the same, and
 * `test/fold.test.ts` compares them. A change here needs a change there, and a new number `folding` (tables.ts).
 */
export const fold = (text: string): string =>
  compose(
    text
      .replace(/\p{DI}+/gu, '')
      // A capital I with a dot has two forms, and its small form would be an i with a second dot.
      .replace(/İ|I\u0307/g, 'i')
      .toLowerCase()
      .replaceAll('ς', 'σ')
      .replaceAll('\u001f', ' ')
      .replace(/[\s\u0085]+/gu, ' '),
  )
