import { setTimeout as sleep } from 'node:timers/promises'
import type { JobHandlers, Log } from '@playtherapy/jobs'

export const silent: Log = { debug() {}, info() {}, warn() {}, error() {}, child: () => silent }

/** Handlers of which only one does something: what is measured are `delete-superseded` jobs, as they carry the least. */
export function onlyHandler(handle: JobHandlers['delete-superseded']): JobHandlers {
  const unexpected = async () => {
    throw new Error('this job was not announced')
  }
  return {
    'encode-video': unexpected,
    'transcribe-video': unexpected,
    'analyse-script': unexpected,
    'delete-superseded': handle,
    'sweep-presigned': unexpected,
    erase: unexpected,
  }
}

/** Waits until something is so, looking every so many milliseconds. */
export async function until(reached: () => boolean | Promise<boolean>, everyMs = 5): Promise<void> {
  while (!(await reached())) await sleep(everyMs)
}
