import { cleaned } from '@playtherapy/intake'
import {
  announce,
  renditions,
  reportVersions,
  State,
  scriptVersions,
  sessions,
  type Transaction,
  videos,
} from '@playtherapy/schema'
import { eq } from 'drizzle-orm'
import type { StoredSession } from './objects.ts'

interface Owner {
  caseId: number
  userId: number
}

/** Inserts the recordings of a session; returns the ids of their renditions by those of the recordings in the file. */
async function insertRecordings(tx: Transaction, { document, id: sessionId, recordings }: StoredSession) {
  const ids = new Map<number, number>()
  for (const recording of document.recordings) {
    const found = recordings.get(recording.id)
    if (!found) continue
    const { original, rendition, container, id } = found
    const storedAt = new Date(recording.stored_at)
    const isDone = recording.state === 'encoded' && rendition !== undefined
    const fileName = recording.file_name === null ? null : cleaned(recording.file_name)
    const ends = ['failed', 'superseded'].includes(recording.state)
    await tx.insert(videos).values({
      ...{ id, sessionId, ...original, storedAt, container, fileName },
      state: ends ? recording.state : isDone ? 'encoded' : 'stored',
      failure: recording.state === 'failed' ? (recording.failure ?? 'It had failed before it was imported.') : null,
      attempt: rendition ? 1 : 0,
      createdAt: new Date(recording.created_at),
    })
    const made = recording.rendition
    if (!rendition || !made) continue
    const [row] = await tx
      .insert(renditions)
      .values({
        ...{
          sessionId,
          videoId: id,
          ...rendition,
          durationMs: made.duration_ms,
          width: made.width,
          height: made.height,
        },
        createdAt: new Date(made.created_at),
      })
      .returning({ id: renditions.id })
    if (row) ids.set(recording.id, row.id)
  }
  return ids
}

/**
 * Inserts the scripts and reports of a session; returns the ids of those that are current. A version is pending first, as that of a save
 * is, because its step to stored is what the audit trail tells.
 */
async function insertVersions(
  tx: Transaction,
  userId: number,
  { document, id: sessionId, scripts, reports }: StoredSession,
) {
  const scriptIds = new Map<number, number>()
  for (const { version, made_by: madeBy, warnings, created_at } of document.scripts) {
    const object = scripts.get(version)
    if (!object) continue
    const typed = warnings.map(({ record, field, kind }) => ({ record, field, ...(kind && { kind }) }))
    const [row] = await tx
      .insert(scriptVersions)
      .values({
        ...{ sessionId, version, ...object, userId, madeBy, warnings: typed },
        createdAt: new Date(created_at),
      })
      .returning({ id: scriptVersions.id })
    if (row) scriptIds.set(version, row.id)
  }
  const reportIds = new Map<number, number>()
  for (const { version, levels, script_version, created_at } of document.reports) {
    const object = reports.get(version)
    if (!object) continue
    const [row] = await tx
      .insert(reportVersions)
      .values({
        ...{ sessionId, version, ...object, createdAt: new Date(created_at) },
        levels: levels?.map(([category, level]) => [category, level]) ?? null,
        scriptVersionId: scriptIds.get(script_version ?? 0) ?? null,
      })
      .returning({ id: reportVersions.id })
    if (row) reportIds.set(version, row.id)
  }
  for (const table of [scriptVersions, reportVersions]) {
    await tx.update(table).set({ state: 'stored' }).where(eq(table.sessionId, sessionId))
  }
  const { script_version, report_version } = document.current
  return {
    scriptVersionId: scriptIds.get(script_version ?? 0) ?? null,
    reportVersionId: reportIds.get(report_version ?? 0) ?? null,
  }
}

/**
 * The state of a session's analysis. What was under way is to be begun again, and so is what was done if its report is not in the file;
 * a report that was delivered without a script, or whose script is not in the file, is done.
 */
function analysisOf(state: number, hasScript: boolean, hasReport: boolean): number {
  if (!hasScript) return hasReport ? State.DONE : State.NONE
  return state === State.START || (state === State.DONE && !hasReport) ? State.READY : state
}

/**
 * Inserts a session with all that belongs to it. Its current recording is announced to be encoded: what is encoded plays meanwhile, and gets what
 * is not in the file, such as the rungs for HLS. A transcript or analysis that was under way is not.
 */
export async function insertSession(tx: Transaction, { caseId, userId }: Owner, stored: StoredSession): Promise<void> {
  const { document, id, recordings } = stored
  const { current, script_state_id, analyze_state_id } = document
  const setFor = document.video_length_set_for
  await tx.insert(sessions).values({
    ...{ id, caseId, name: document.name, sessionStateId: document.session_state_id },
    ...{ videoLength: document.video_length, previousVideoLength: document.previous_video_length },
    videoLengthSetFor: setFor === null || setFor === 0 ? setFor : (recordings.get(setFor)?.id ?? null),
    ...{ lastScriptVersion: document.last_script_version, lastReportVersion: document.last_report_version },
    createdAt: new Date(document.created_at),
  })
  const renditionIds = await insertRecordings(tx, stored)
  const versions = await insertVersions(tx, userId, stored)
  const scriptState = script_state_id === State.ERROR ? State.ERROR : State.NONE
  const [hasScript, hasReport] = [versions.scriptVersionId !== null, versions.reportVersionId !== null]
  const one = eq(sessions.id, id)
  await tx
    .update(sessions)
    .set({
      ...versions,
      scriptStateId: hasScript ? State.DONE : scriptState,
      analyzeStateId: analysisOf(analyze_state_id, hasScript, hasReport),
    })
    .where(one)
  const recording = document.recordings.find((each) => each.id === current.recording)
  const video = recordings.get(current.recording ?? 0)
  const renditionId = renditionIds.get(current.rendition_of ?? 0) ?? null
  if (!recording || !video || recording.state === 'superseded') return
  // A trigger lets the encoding take these steps only.
  await tx.update(sessions).set({ videoId: video.id, encodingStateId: State.READY, renditionId }).where(one)
  if (recording.state === 'failed') {
    await tx.update(sessions).set({ encodingStateId: State.ERROR }).where(one)
    return
  }
  if (recording.state === 'encoded' && renditionId !== null) {
    await tx.update(sessions).set({ encodingStateId: State.START }).where(one)
    await tx.update(sessions).set({ encodingStateId: State.DONE }).where(one)
  }
  await announce(tx, 'encode-video', { video_id: video.id })
}
