import { setTimeout as sleep } from 'node:timers/promises'
import type { JobHandlers, Log } from '@playtherapy/jobs'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

/** Returns handlers for `delete-superseded` jobs alone, which are measured because their payload is the smallest. */
export function onlyHandler(handle: JobHandlers['delete-superseded']): JobHandlers {
  const unexpected = async () => {
    throw new Error('this job was not announced')
  }
  return {
    'encode-video': unexpected,
    'encode-chunk': unexpected,
    'finish-video': unexpected,
    'transcribe-video': unexpected,
    'analyse-script': unexpected,
    'delete-superseded': handle,
    'sweep-presigned': unexpected,
    erase: unexpected,
    'erase-video': unexpected,
    'export-case': unexpected,
    'send-webhook': unexpected,
  }
}

/** Waits until `reached` returns true, checked every `everyMs`. */
export async function until(reached: () => boolean | Promise<boolean>, everyMs = 5): Promise<void> {
  while (!(await reached())) await sleep(everyMs)
}
