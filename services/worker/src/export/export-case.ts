import { type JobContext, PermanentError, PostponedError } from '@playtherapy/jobs'
import { exportsPrefix, inFolder, type ObjectStore, type Phase } from '@playtherapy/object-store'
import { type Database, outlastOutage } from '@playtherapy/schema'
import { OvertakenError, underLease } from '../encode/lease.ts'
import { removeBelow } from '../erase/removal.ts'
import { entriesOf } from './entries.ts'
import type { CaseDocument, Manifest } from './format.ts'
import { bytesOfCase } from './read-session.ts'
import {
  type Claimed,
  claimExport,
  commitExport,
  failExport,
  isCommitted,
  leaseOf,
  readCase,
  withoutExport,
} from './repository.ts'
import { TooManyFilesError, zipOf } from './zip.ts'

interface Resources {
  db: Database
  store: ObjectStore
  phase: Phase
  /** For how long a finished export is kept. */
  keepSeconds: number
}

/** The most bytes of recordings in one file: an object of S3 has 10,000 parts, which are 89 GiB with the memory that uploads may take. */
const mostBytes = 80 * 1024 ** 3

/**
 * The job that writes the export of a case to the object store, as a stream, without a scratch file. An attempt writes under its own
 * key; one whose process died is repeated from the beginning, and what it left is removed first. It ends without a file when the export
 * was deleted meanwhile, because the case or a part of it was.
 */
export function createExportCase(resources: Resources) {
  const { db, store, phase, keepSeconds } = resources
  return async ({ export_id }: { export_id: number }, { signal }: Pick<JobContext, 'signal'>): Promise<void> => {
    const claimed = await claimExport(db, phase, export_id)
    if (!claimed) return
    if ('waitMs' in claimed) throw new PostponedError(claimed.waitMs)
    await underLease(leaseOf(db, claimed), signal, async (signal, onProgress) => {
      await removeUnowned(resources, claimed.caseId)
      const file = await write(resources, claimed, signal, onProgress)
      const { result, repeated } = await outlastOutage(() => commitExport(db, claimed, file, keepSeconds))
      if (result || (repeated && (await isCommitted(db, claimed)))) return
      await store.delete([inFolder('export', claimed.path)])
      throw new OvertakenError()
    })
  }
}

/** Records that an export was given up; false when it is no longer there. */
export const createExportFailed =
  ({ db, keepSeconds }: Pick<Resources, 'db' | 'keepSeconds'>) =>
  ({ export_id }: { export_id: number }, reason: string): Promise<boolean> =>
    failExport(db, export_id, reason, keepSeconds)

/** Keys of files of a case's exports that no export has any more: it was replaced or deleted, or the attempt died. */
export async function unownedExports(
  { db, store, phase }: Omit<Resources, 'keepSeconds'>,
  caseId: number,
): Promise<string[]> {
  const prefix = exportsPrefix(phase, caseId)
  const keys = new Set<string>()
  for await (const { key } of store.list(prefix)) keys.add(key)
  for await (const { key } of store.unfinished(prefix)) keys.add(key)
  const folder = inFolder('export', '')
  const paths = await withoutExport(
    db,
    [...keys].map((key) => key.slice(folder.length)),
  )
  return paths.map((path) => inFolder('export', path))
}

async function removeUnowned(resources: Resources, caseId: number): Promise<void> {
  await removeBelow(resources.store, await unownedExports(resources, caseId))
}

async function write(
  { db, store }: Resources,
  claimed: Claimed,
  signal: AbortSignal,
  onProgress: (percent: number) => void,
): Promise<{ size: number; etag: string; missing: number }> {
  const row = await readCase(db, claimed.caseId)
  if (!row) throw new OvertakenError()
  const { media, documents } = await bytesOfCase(db, claimed.caseId)
  const total = documents + (claimed.withoutMedia ? 0 : media)
  if (total > mostBytes) {
    throw new PermanentError(
      'The case has more than 80 GiB, which is too large for one file. Please export it without media.',
    )
  }
  const document: CaseDocument = {
    id: row.id,
    given_name: row.givenName,
    family_name: row.familyName,
    description: row.description,
    case_state_id: row.caseStateId,
    created_at: row.createdAt.toISOString(),
    updated_at: row.updatedAt.toISOString(),
  }
  const files: Manifest['files'] = []
  const missing: Manifest['missing'] = []
  let read = 0
  const onBytes = (count: number) => {
    read += count
    onProgress(Math.min(99, Math.floor((100 * read) / Math.max(1, total))))
  }
  const { withoutMedia, pseudonyms } = claimed
  const at = new Date()
  const entries = entriesOf({
    ...{ db, store, document, withoutMedia, pseudonyms, files, missing, onBytes, signal },
    madeAt: at.toISOString(),
  })
  const archive = zipOf(entries, at, (file) => files.push(file))
  try {
    const stored = await store.put(inFolder('export', claimed.path), archive, {
      contentType: 'application/zip',
      signal,
    })
    return { ...stored, missing: missing.length }
  } catch (error) {
    if (error instanceof TooManyFilesError) {
      throw new PermanentError('The case has more files than fit into one export.')
    }
    throw error
  }
}
