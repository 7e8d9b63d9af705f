import { type CheckedScript, checkScript, type Origin, type ReadScript, verified } from '../scripts/check.ts'

/** Checks an older version that is to be saved again. */
export const restoreScript = ({ script, ...origin }: Origin & { script: ReadScript }): CheckedScript =>
  checkScript({ bytes: verified(script), ...origin })
