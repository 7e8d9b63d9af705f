import type { Stack } from './stack.ts'
import type { Therapist } from './therapist.ts'

/** What a fault and its end have at hand. */
export interface Place {
  stack: Stack
  therapist: Therapist
  /** Recordings of two seconds and of ten minutes. */
  clips: { short: Uint8Array<ArrayBuffer>; long: Uint8Array<ArrayBuffer> }
  /** Runs a command of the runbook and returns what it prints. */
  run(command: string): Promise<string>
  /** Repeats something until the fault ends. Returns a function that ends it. */
  repeat(what: () => Promise<unknown>, pauseMs: number): () => Promise<void>
}

/** One fault on the stack, and how the runbook ends it. */
export interface Fault {
  /** Alerts that it has to fire. The paragraph of the first one is followed. */
  alerts: [string, ...string[]]
  /** What was done, for the table. */
  made: string
  make(place: Place): Promise<unknown>
  /** Commands of the paragraph and what they have to show. */
  look: [command: string, shows: RegExp][]
  /** What the paragraph asks to mend before its commands. */
  mendFirst?(place: Place): Promise<unknown>
  /** Commands of the paragraph that end it, `PID` and `N` filled in from what was shown. */
  commands: string[]
  /** What the paragraph says besides commands: others mend their server, or it ends by itself. */
  mend?(place: Place, shown: string): Promise<unknown>
  /** For the table: what following the paragraph did. */
  ended: string
}
