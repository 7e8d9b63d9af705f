import type { Row } from '../row.ts'
import { script } from './script.ts'

/** Every row, in the order of the table. */
export const rows: Row[] = [script]
