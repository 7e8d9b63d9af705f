import type { Row } from '../row.ts'
import { coldStart } from './cold-start.ts'
import { encode } from './encode.ts'
import { lastByte } from './last-byte.ts'
import { playback } from './playback.ts'
import { script } from './script.ts'
import { upload, uploads } from './upload.ts'

/** Every row, in the order of the table. */
export const rows: Row[] = [upload, uploads, lastByte, playback, script, encode, coldStart]
