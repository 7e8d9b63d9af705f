import type { Row } from '../row.ts'
import { audit } from './audit.ts'
import { cases } from './cases.ts'
import { coldStart } from './cold-start.ts'
import { consoleScroll } from './console-scroll.ts'
import { encode } from './encode.ts'
import { events } from './events.ts'
import { exports } from './exports.ts'
import { growth } from './growth.ts'
import { killedWorker } from './killed-worker.ts'
import { lastByte } from './last-byte.ts'
import { links } from './links.ts'
import { playback } from './playback.ts'
import { queue } from './queue.ts'
import { resumable, resumables } from './resumable.ts'
import { script } from './script.ts'
import { hlsSegments } from './segments.ts'
import { tenMinutes } from './ten-minutes.ts'
import { unheardProgress } from './unheard-progress.ts'
import { upload, uploads } from './upload.ts'
import { workers } from './workers.ts'

/** Every row, in the order of the table. */
export const rows: Row[] = [
  upload,
  uploads,
  resumable,
  resumables,
  lastByte,
  playback,
  hlsSegments,
  links,
  cases,
  audit,
  exports,
  script,
  consoleScroll,
  events,
  unheardProgress,
  encode,
  tenMinutes,
  killedWorker,
  queue,
  workers,
  coldStart,
  growth,
]
