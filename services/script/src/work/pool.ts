import { ApiError, errors } from '@playtherapy/service-kit'
import { Piscina } from 'piscina'
import { bytesIn, movable } from './bytes.ts'
import { type TaskName, tasks } from './tasks.ts'
import type { Answer } from './thread.ts'

/**
 * Heavy work beside the event loop. What is small is done at once: 64 KiB of the worst content take 30 ms, and a thread
 * would cost every ordinary script its start. Larger scripts go to one of two threads, so that a script of an
 * ordinary size never waits behind one of the largest.
 */

const kibibyte = 1024
const mebibyte = 1024 ** 2

/** Bytes up to which a task is done on the event loop. */
const atOnceBytes = 64 * kibibyte
/** Bytes up to which a task goes to the thread for ordinary scripts. */
const ordinaryBytes = 2 * mebibyte
/**
 * Most memory of the threads' heaps. A thread whose heap is full may take the process along, so nothing may get near:
 * what a script costs is bounded in `scriptBounds`, and the most that was seen is 130 MiB for a comparison of two of the
 * largest. The container has 512 MiB (docker-compose.yml): 90 for the process itself with its request bodies, 64 for
 * scripts that come and leave (`heldBytes`), 96 for the ordinary thread with what lies outside of its heap, and for the
 * other one 150 of heap and 110 outside: text and result of a script, the result once more while it is put together.
 */
const [ordinaryHeapMebibytes, largestHeapMebibytes, youngMebibytes] = [96, 192, 24]
/** Longest time that a task may take; the longest take 3 s on a free core. */
const longestMs = 30_000
/** Time after which an idle thread ends. */
const idleMs = 60_000
/** Most tasks that wait for a thread: one of each therapist. */
const mostWaiting = 64

/** The file of the thread, beside this one or, in a bundle, among the programs. */
const isSource = import.meta.url.endsWith('.ts')
const filename = new URL(isSource ? './thread.ts' : '../programs/script-thread.mjs', import.meta.url).href

/** Where Node cannot read TypeScript by itself, a thread needs tsx, which it does not get from its process. */
const execArgv =
  isSource && !('typescript' in process.features)
    ? ['--import', `data:text/javascript,import{register}from'${import.meta.resolve('tsx/esm/api')}';register()`]
    : []

/** Whether a thread was ended because its task took too long, or more memory than it has. */
const isOverdone = (error: unknown) =>
  error instanceof Error && (error.name === 'AbortError' || /OUT_OF_MEMORY/.test(String(Reflect.get(error, 'code'))))

/**
 * One thread and its queue, in which each therapist has one task at a time. The queue is ours: after a task that was
 * aborted the library begins with none that waits until another one comes (piscina 5.3.2, piscinajs/piscina #805).
 */
function createLane(heapMebibytes: number, taskMs: number) {
  const pool = new Piscina({
    filename,
    execArgv,
    minThreads: 0,
    maxThreads: 1,
    idleTimeout: idleMs,
    atomics: 'disabled',
    resourceLimits: { maxOldGenerationSizeMb: heapMebibytes, maxYoungGenerationSizeMb: youngMebibytes },
  })
  const last = new Map<number, Promise<unknown>>()
  let turn: Promise<unknown> = Promise.resolve()
  let waiting = 0
  /** Runs a task after those that wait for the thread already. */
  async function queue(job: { name: TaskName; input: object }) {
    if (waiting >= mostWaiting) throw errors.unavailable()
    waiting++
    const done = turn.then(() =>
      pool.run(job, { transferList: movable(job), signal: AbortSignal.timeout(taskMs) }).catch((error) => {
        throw isOverdone(error) ? errors.unavailable() : error
      }),
    )
    turn = done.catch(() => {})
    return done.finally(() => waiting--)
  }
  return {
    async run(userId: number, job: { name: TaskName; input: object }) {
      const before = last.get(userId)
      const mine = (async () => {
        await before
        return queue(job)
      })()
      const settled = mine.catch(() => {})
      last.set(userId, settled)
      try {
        return await mine
      } finally {
        if (last.get(userId) === settled) last.delete(userId)
      }
    },
    close: () => pool.destroy(),
  }
}

/**
 * The tasks, each for a therapist. The bytes of an input must not be used afterwards; those of a result are the caller's.
 * All throw what the task throws, and `errors.unavailable` (503) when the threads are too busy or a task takes longer than
 * `taskMs`, 30 s by default.
 */
export function createWork(taskMs = longestMs) {
  const ordinary = createLane(ordinaryHeapMebibytes, taskMs)
  const largest = createLane(largestHeapMebibytes, taskMs)
  const through =
    <I extends object, O>(name: TaskName, task: (input: I) => O | Promise<O>, isDear = (_: I) => false) =>
    async (userId: number, input: I): Promise<O> => {
      const size = bytesIn(input).reduce((sum, { length }) => sum + length, 0)
      if (size <= atOnceBytes && !isDear(input)) return task(input)
      const lane = size <= ordinaryBytes ? ordinary : largest
      const answer: Answer<O> = await lane.run(userId, { name, input })
      if ('refusal' in answer) {
        const { status, code, message, detail } = answer.refusal
        throw new ApiError(status, code, message, detail && { detail })
      }
      return answer.result
    }
  return {
    check: through('check', tasks.check),
    restore: through('restore', tasks.restore),
    importCaptions: through('importCaptions', tasks.importCaptions),
    // Copies make any script large, a workbook's library is, and a comparison grows with the square of its records.
    patch: through('patch', tasks.patch, () => true),
    exportTo: through('exportTo', tasks.exportTo, ({ format }) => format === 'xlsx'),
    summarise: through('summarise', tasks.summarise),
    compare: through('compare', tasks.compare, () => true),
    page: through('page', tasks.page),
    close: () => Promise.all([ordinary.close(), largest.close()]),
  }
}
