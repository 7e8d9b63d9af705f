import type { Row } from '../row.ts'
import { script } from './script.ts'
import { upload, uploads } from './upload.ts'

/** Every row, in the order of the table. */
export const rows: Row[] = [upload, uploads, script]
