import type { Static } from 'typebox'
import type { Script } from '../scripts/schemas.ts'

/** One utterance of a script, with its times as they were sent. */
export type ScriptRecord = Static<typeof Script>['scripts'][number]
