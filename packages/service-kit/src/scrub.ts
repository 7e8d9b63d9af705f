import { getSystemErrorMap } from 'node:util'
import { logWords } from './log-words.ts'

/** Stands for what was left out. */
const gap = '…'
/** Most characters of a message that are read. */
const mostCharacters = 600

/** The names of the system's errors: ECONNREFUSED, ENOSPC. */
const systemCodes = new Set([...getSystemErrorMap().values()].map(([name]) => name))

/** From the first quotation mark that opens to the last that closes: a quoted text may contain quotation marks. */
const quoted = /(^|[\s([{=:,])["'`“”«「『‘].*["'`“”»」』’](?=$|[\s)\]},.:;!?])/su
/** A statement and its values, which drizzle puts into the message of a failed query. */
const statement = /(Failed query|params):.*/su

/** A short number, or a time: a long one could be a telephone number. */
const number = /^\d{1,5}(\.\d{1,3})?(s|ms|%)?$/

/** Whether a token may appear: a word of the list, several of them joined together, or a short number. */
const isKnown = (token: string): boolean =>
  logWords.has(token) ||
  number.test(token) ||
  systemCodes.has(token) ||
  token.split(/[-/_]/).every((word) => logWords.has(word.toLowerCase()))

/**
 * Returns what of an error's message may be logged, shown by a command or kept with a job. It knows which words may appear
 * (log-words.ts) and leaves everything else out, because nobody can list what may not: the names of children, what they
 * say, file names, e-mail addresses, tokens, keys, URLs with passwords or signatures, values of a statement. Quoted texts
 * are left out whole. `codes` are words that are known from elsewhere, such as the error's own code. Returns undefined
 * when nothing is left.
 */
export function scrub(message: string, codes: string[] = []): string | undefined {
  const text = message.slice(0, mostCharacters).replace(statement, '$1').replace(quoted, `$1${gap}`)
  const kept: string[] = []
  let begins = true
  // Numbers in a row could be the groups of a telephone number.
  let followsNumber = false
  for (const token of text.split(/\s+/u)) {
    const [, word = ''] = /^[([{]*(.*?)[)\]},.:;!?]*$/su.exec(token) ?? []
    // A sentence begins with a capital letter.
    const isNumber = /^[+\d]\d*$/.test(word)
    const uncapitalised = begins ? word.charAt(0).toLowerCase() + word.slice(1) : word
    const isAllowed = !(isNumber && followsNumber) && (isKnown(uncapitalised) || isKnown(word))
    if (word === '' || codes.includes(word) || isAllowed) kept.push(token)
    else if (kept.at(-1) !== gap) kept.push(gap)
    followsNumber = isNumber
    begins = /[.:!?]$/.test(token)
  }
  const said = kept.join(' ').trim()
  return /\p{L}/u.test(said) ? said : undefined
}
