import { type SQL, sql } from 'drizzle-orm'

/**
 * Why recordings fail: the code that programs get, and the beginning of the sentence that is stored for people. A sentence may end
 * with figures, but a release keeps the beginnings of earlier ones, because the code of a row is found by them.
 */
export const failures = {
  unreadable: 'The file cannot be read as a video.',
  no_picture: 'The file has no picture, only sound or nothing at all.',
  picture_too_large: 'The picture cannot be read, or is larger than',
  ends_early: 'The recording ends early:',
  too_long: 'The recording is longer than',
  too_large: 'The file is larger than',
  encoded_too_large: 'The encoded video would be larger than this installation allows.',
  too_much_memory: 'The recording takes more memory to convert than this installation allows.',
  too_much_work: 'The recording takes far longer to convert than its size explains.',
  changed: 'The uploaded file was changed or removed after it was announced.',
  given_up: 'It was tried several times without success.',
  not_stored: 'The file could not be stored.',
  broken_off: 'The upload was broken off.',
  overtaken: 'A newer recording was uploaded.',
} as const

const cases = Object.entries(failures).map(([code, start]) => `when starts_with(failure, '${start}') then '${code}'`)

/** Selects the code of the column `failure`: `other` for a sentence of a release that is newer, null without one. */
export const failureCode: SQL = sql.raw(`case when failure is null then null ${cases.join(' ')} else 'other' end`)
