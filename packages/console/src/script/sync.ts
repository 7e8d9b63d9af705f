import { ApiFailure } from '@playtherapy/client'
import { effect, type ReadonlySignal, signal } from '@preact/signals'
import { token, userId } from '../account.ts'
import { apiOf } from '../api.ts'
import { followed, newsOf, resets } from '../live.ts'
import { applyChange, type Change, laterRows, newRow, type Row, same, toPatch } from './change.ts'
import type { OpenScript } from './open-script.ts'

/** The pause after the first failed attempt, and the longest one; each failure doubles it. */
const [shortestPauseMs, longestPauseMs] = [1_000, 30_000]

export interface Sync {
  /** Why nothing is loaded or saved at the moment; undefined while all is well. */
  failure: ReadonlySignal<unknown>
  /** Makes the next attempt at once. */
  retry(): void
  /** Reports a version that the service has made on request of this page, such as by an import. */
  learn(version: number): void
  end(): void
}

/** Refusals that a later attempt may overcome without the therapist: the service is full or fails. */
const passesByItself = ({ status, error_code: code }: ApiFailure) =>
  status === 408 || status === 429 || status >= 500 || code === 1000 || code === 1001

/** Refusals after which a change waits: it is not at fault. After a 401 it waits for the next token. */
const mayPass = (refusal: ApiFailure) => refusal.status === 401 || passesByItself(refusal)

const hasNoScript = (failure: unknown) => failure instanceof ApiFailure && failure.error_code === 6

const recordsOf = (rows: readonly Row[]) => rows.map(({ record }) => record)

/** Keeps an open script and the stored one in step: saves one change after the other, and loads the versions that other people save. */
export function syncScript(script: OpenScript, session: { case_id: number; session_id: number }): Sync {
  const failure = signal<unknown>(undefined)
  const owner = userId.peek()
  const api = apiOf(owner)
  const ended = new AbortController()
  const call = { signal: ended.signal }
  /** The highest version that is known to exist. */
  let newest = 0
  /** The resets of events after which the newest version was asked for: with events, a version may have been missed. */
  let resetsSeen = resets.peek()
  let isRunning = false
  let isAsked = false
  /** A change that may be saved although the response was lost or was a refusal. */
  let uncertain: Change | undefined
  let pauseMs = shortestPauseMs
  let timer: ReturnType<typeof setTimeout> | undefined

  /** Shows a stored version: of another person, or made by a change of this page whose response was lost. */
  function take(version: number, later: readonly Row[]) {
    const first = script.pending.value[0]
    const ours = first && first === uncertain && applyChange(script.stored.value, first)
    uncertain = undefined
    if (ours && same(recordsOf(ours), recordsOf(later))) script.saved(version, ours)
    else script.overtaken(version, later)
  }

  async function load() {
    // A version that is saved after the stream has opened is an event; none is missed between the two.
    await followed()
    // The session is read first, because a browser writes each refused request to its console.
    const { source_script_url: place } = await api.sessions.get(session, call)
    if (place === null && newest === 0) return script.overtaken(0, [])
    try {
      const { data, scriptVersion } = await api.scripts.get(session, call)
      take(scriptVersion, data.scripts.map(newRow))
    } catch (error) {
      if (!hasNoScript(error)) throw error
      script.overtaken(0, [])
    }
  }

  async function lookForNewest() {
    const now = resets.peek()
    const versions = await api.scriptVersions.list(session, call)
    newest = Math.max(newest, versions[0]?.version ?? 0)
    resetsSeen = now
  }

  /**
   * Loads the newest version. After a save without a response, the version that followed ours is loaded first: that save may have made it.
   */
  async function pull(from: number, to: number) {
    let version = to
    if (uncertain && uncertain === script.pending.value[0]) {
      const versions = await api.scriptVersions.list(session, call)
      version = versions.findLast((one) => one.version > from)?.version ?? to
    }
    const later = laterRows(script.stored.value, await compare(from, version))
    if (later) take(version, later)
    else await load()
  }

  const compare = (from: number, to: number) =>
    api.scriptVersions.compare({ ...session, from, to }, call).catch((error: unknown) => {
      // The service does not compare two large scripts that have nothing in common.
      if (error instanceof ApiFailure && error.status === 413) return { counts: { same: -1 }, changes: [] }
      throw error
    })

  async function save(version: number, change: Change) {
    const stored = script.stored.value
    const next = applyChange(stored, change) ?? stored
    const body = toPatch(stored, change, next)
    try {
      const { scriptVersion } =
        version === 0
          ? await api.scripts.save({ ...session, 'if-none-match': '*', body: { script: fileOf(next) } }, call)
          : await api.scripts.patch({ ...session, 'if-match': `"${version}"`, body }, call)
      script.saved(scriptVersion, next)
    } catch (error) {
      // A browser or proxy may have sent the request twice; then the second one is refused because of the first.
      if (!(error instanceof ApiFailure) || error.currentVersion !== undefined) uncertain = change
      if (error instanceof ApiFailure && error.currentVersion !== undefined) newest = error.currentVersion
      else if (error instanceof ApiFailure && !mayPass(error)) script.refused(error)
      else throw error
    }
  }

  /** One step towards the service; false when there is nothing to do. */
  async function step(): Promise<boolean> {
    // Another therapist may have signed in during the last step. The changes wait for the one who made them.
    if (userId.peek() !== owner) return false
    const version = script.version.value
    const change = script.pending.value[0]
    if (version === undefined || (version === 0 && newest > 0)) await load()
    else if (resets.peek() > resetsSeen) await lookForNewest()
    else if (newest > version) await pull(version, newest)
    else if (change) await save(version, change)
    else return false
    return true
  }

  /** Makes an attempt at once; during one, makes another one afterwards. */
  async function run() {
    clearTimeout(timer)
    timer = undefined
    if (ended.signal.aborted || userId.peek() !== owner) return
    isAsked = true
    if (isRunning) return
    isRunning = true
    try {
      while (isAsked) {
        isAsked = false
        while (await step());
      }
      failure.value = undefined
      pauseMs = shortestPauseMs
    } catch (error) {
      if (ended.signal.aborted) return
      failure.value = error
      // What came up during this attempt needs another one, even if this one was refused for good.
      if (isAsked || !(error instanceof ApiFailure) || passesByItself(error)) {
        const told = error instanceof ApiFailure ? (error.retryAfter ?? 0) * 1000 : 0
        timer = setTimeout(run, Math.max(told, pauseMs))
        pauseMs = Math.min(2 * pauseMs, longestPauseMs)
      }
    } finally {
      isRunning = false
    }
  }

  /**
   * Makes an attempt, unless the pause after a failed one is not over yet. In a microtask, because an effect would otherwise depend on
   * every signal that a step reads.
   */
  const soon = () =>
    queueMicrotask(() => {
      if (timer === undefined) run()
    })
  const learn = (version: number) => {
    newest = Math.max(newest, version)
    soon()
  }
  addEventListener('online', run, { signal: ended.signal })
  const effects = [
    effect(() => learn(newsOf(session.session_id).value?.script?.version ?? 0)),
    effect(() => {
      if (script.pending.value.length > 0) soon()
    }),
    // A new token ends the pause after a refused one.
    effect(() => {
      if (token.value !== null) queueMicrotask(run)
    }),
    effect(() => {
      if (resets.value > resetsSeen) soon()
    }),
  ]
  return {
    failure,
    retry: run,
    learn,
    end() {
      ended.abort()
      clearTimeout(timer)
      for (const stop of effects) stop()
    },
  }
}

const fileOf = (rows: readonly Row[]) =>
  new Blob([JSON.stringify({ scripts: recordsOf(rows) })], { type: 'application/json' })
