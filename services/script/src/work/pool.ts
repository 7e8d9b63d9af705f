import { ApiError, errors } from '@playtherapy/service-kit'
import { Piscina } from 'piscina'
import { bytesIn, movable } from './bytes.ts'
import { type TaskName, tasks } from './tasks.ts'
import type { Answer } from './thread.ts'

/** A task of at most so many bytes runs on the event loop: the worst content takes 30 ms. */
const atOnceBytes = 64 * 1024
/** A task of at most so many bytes runs on the thread for ordinary scripts, which never wait for one of the largest. */
const ordinaryBytes = 2 * 1024 ** 2
/**
 * Largest heaps of the threads. A full heap may end the whole process, so no task may come near it: `scriptBounds` bounds
 * what a script costs, and the largest heap seen is 130 MiB, for a comparison of two of the largest scripts. The container
 * has 512 MiB (docker-compose.yml): 90 for the process with its request bodies, 64 for scripts of requests (`heldBytes`),
 * 96 for the ordinary thread with its memory outside the heap, and for the other one 150 of heap and 110 outside: the
 * text of a script, its result, and a second copy of the result while it is joined.
 */
const [ordinaryHeapMebibytes, largestHeapMebibytes, youngMebibytes] = [96, 192, 24]
/** Longest time of a task; the longest one takes 3 s on a free core. */
const taskMostMs = 30_000
/** Time after which an idle thread ends. */
const idleMs = 60_000
/** Most tasks that wait for a thread; each therapist has at most one. */
const mostWaiting = 64

/** The file of the thread is beside this one or, in a bundle, among the programs. */
const isSource = import.meta.url.endsWith('.ts')
const filename = new URL(isSource ? './thread.ts' : '../programs/script-thread.mjs', import.meta.url).href

/** A Node that cannot read TypeScript needs tsx, which a thread does not inherit from its process. */
const execArgv =
  isSource && !('typescript' in process.features)
    ? ['--import', `data:text/javascript,import{register}from'${import.meta.resolve('tsx/esm/api')}';register()`]
    : []

/** Whether a thread was ended because its task needed too much time or memory. */
const exceedsBounds = (error: unknown) =>
  error instanceof Error && (error.name === 'AbortError' || /OUT_OF_MEMORY/.test(String(Reflect.get(error, 'code'))))

/**
 * One thread and its queue, in which each therapist has one task at a time. The queue is ours, because after an aborted
 * task the library begins no waiting one until another is added (piscina 5.3.2, piscinajs/piscina #805).
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
  async function queue(job: { name: TaskName; input: object }) {
    if (waiting >= mostWaiting) throw errors.unavailable()
    waiting++
    const done = turn.then(() =>
      pool.run(job, { transferList: movable(job), signal: AbortSignal.timeout(taskMs) }).catch((error) => {
        throw exceedsBounds(error) ? errors.unavailable() : error
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
 * The tasks, each for a therapist. The caller must not use the bytes of an input afterwards. All throw what the task
 * throws, and `errors.unavailable` when the threads are too busy or a task exceeds `taskMs`.
 */
export function createWork(taskMs = taskMostMs) {
  const ordinary = createLane(ordinaryHeapMebibytes, taskMs)
  const largest = createLane(largestHeapMebibytes, taskMs)
  const through =
    <I extends object, O>(name: TaskName, task: (input: I) => O | Promise<O>, isHeavy = (_: I) => false) =>
    async (userId: number, input: I): Promise<O> => {
      const size = bytesIn(input).reduce((sum, { length }) => sum + length, 0)
      if (size <= atOnceBytes && !isHeavy(input)) return task(input)
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
    // Always on a thread: a caption of five bytes becomes a record of seventy, copies can make any script large, the
    // workbook library is slow, captions repeat records, and comparisons are quadratic.
    importCaptions: through('importCaptions', tasks.importCaptions, () => true),
    patch: through('patch', tasks.patch, () => true),
    exportTo: through('exportTo', tasks.exportTo, ({ format }) => format === 'xlsx' || format === 'captions'),
    summarise: through('summarise', tasks.summarise),
    compare: through('compare', tasks.compare, () => true),
    page: through('page', tasks.page),
    close: () => Promise.all([ordinary.close(), largest.close()]),
  }
}
