import { exportTo } from '../export/formats.ts'
import { importCaptions } from '../import/captions.ts'
import { checkScript } from '../scripts/check.ts'
import { pageScript } from '../search/pages.ts'
import { summariseScript } from '../summary/summary.ts'
import { compareScripts } from '../versions/changes.ts'
import { patchScript } from '../versions/patch.ts'
import { restoreScript } from '../versions/restore.ts'

/**
 * The tasks with whole scripts. Input and output are bytes, because only bytes move to another thread without a copy.
 * All tasks throw ApiError.
 */
export const tasks = {
  check: checkScript,
  restore: restoreScript,
  importCaptions,
  patch: patchScript,
  exportTo,
  summarise: summariseScript,
  compare: compareScripts,
  page: pageScript,
}

export type TaskName = keyof typeof tasks
