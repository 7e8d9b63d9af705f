import type { Client, Recording, Session } from './client.ts'
import type { Stack } from './stack.ts'

/** What every step works with. */
export interface Proof {
  stack: Stack
  client: Client
  /** A short recording that is only remuxed, and one that takes seconds to transcode. */
  quick: Recording
  long: Recording
  /** Sessions with a recording, and what played back: to be found again after everything. */
  kept: Map<Session, Buffer>
  /** Where files of this run go. */
  directory: string
}
