import { buffer } from 'node:stream/consumers'
import { type JobContext, PermanentError } from '@playtherapy/jobs'
import { inFolder, type ObjectStore, type Phase } from '@playtherapy/object-store'
import type { Database } from '@playtherapy/schema'
import { reportSteps, saveVersion } from '@playtherapy/versions'
import type { Static } from 'typebox'
import { ajv } from '../provider/answer.ts'
import { ask } from '../provider/chat.ts'
import type { Provider } from '../provider/provider.ts'
import { storedScript } from '../stored-json.ts'
import { Analysis, instructions, reportOf, Script, transcriptOf } from './report.ts'
import { claimAnalysis, endAnalysis } from './repository.ts'

const isScript = ajv.compile<Static<typeof Script>>(Script)

export interface AnalyseResources {
  db: Database
  store: ObjectStore
  phase: Phase
  /** Undefined when none is configured. */
  analyser: Provider | undefined
}

/** Largest script that is analysed; two hours of talk have a tenth of it. */
const scriptBytes = 4 * 1024 ** 2

/**
 * The job that lets the analyser score a script version and saves the report. If a script is saved meanwhile, the analysis
 * is due again; if a report is delivered meanwhile, that one stays. Without an analyser the job ends without an error.
 */
export function createAnalyseScript({ db, store, phase, analyser }: AnalyseResources) {
  return async (
    { script_version_id: scriptVersionId }: { script_version_id: number },
    { signal }: Pick<JobContext, 'signal'>,
  ): Promise<void> => {
    if (!analyser) return void (await endAnalysis(db, scriptVersionId, 'off'))
    const claim = await claimAnalysis(db, scriptVersionId)
    if (!claim) return
    const { path, etag, size, checksum, caseId, sessionId, follows } = claim
    if (size > scriptBytes) throw new PermanentError('The script is too long to be analysed.')
    const stream = await store.get(inFolder('script', path), { signal, ...(etag && { ifMatch: etag }) })
    const script = storedScript(await buffer(stream), checksum)
    if (!isScript(script)) throw new PermanentError('The script cannot be read.')
    const question = { system: instructions, user: transcriptOf(script), schema: Analysis, signal }
    const report = reportOf(await ask(analyser, question))
    const bytes = Buffer.from(JSON.stringify(report))
    const levels = Object.values(report.reports).map(({ category, level }): [string, number] => [category, level])
    const steps = reportSteps(db, phase, { caseId, sessionId, size: bytes.length, levels, scriptVersionId, follows })
    await saveVersion({ db, store }, bytes, steps)
  }
}

/** Records that an analysis was given up; false when it is no longer awaited. */
export const createAnalyseFailed =
  (db: Database) =>
  ({ script_version_id: scriptVersionId }: { script_version_id: number }): Promise<boolean> =>
    endAnalysis(db, scriptVersionId, 'failed')
