import type { NewJob, Outbox, VideoJob } from './outbox.ts'

/** A job of the simulation. */
export interface PlannedJob extends NewJob {
  /** What it takes of one core. */
  cpuSeconds: number
  /** Notes the second in which it ended, and returns the jobs that it announces. */
  ended(second: number): Promise<PlannedJob[]>
}

interface QueuedJob extends PlannedJob {
  id: number
  turn: number
  /** CPU seconds that are left of it. */
  left: number
}

/** The jobs of a worker by name: one of each at once, as in the catalogue. They share its one core. */
type Worker = Map<VideoJob, QueuedJob>

const tiny = 1e-6

/** Lets idle workers begin the jobs whose turn it is, each the worker with the fewest jobs. */
function begin(queues: Map<VideoJob, QueuedJob[]>, workers: Worker[]): void {
  for (const [name, queue] of queues) {
    const free = workers.filter((jobs) => !jobs.has(name)).toSorted((one, other) => one.size - other.size)
    for (const worker of free) {
      const job = queue.pop()
      if (!job) break
      worker.set(name, job)
    }
  }
}

/** Works for this many seconds. Returns the jobs that ended. */
function work(workers: Worker[], seconds: number): QueuedJob[] {
  return workers.flatMap((jobs) => {
    const share = seconds / jobs.size
    for (const job of jobs.values()) job.left -= share
    const ended = [...jobs.values()].filter(({ left }) => left < tiny)
    for (const { name } of ended) jobs.delete(name)
    return ended
  })
}

/** A job that is announced from outside, by an upload. */
export interface Arrival {
  second: number
  job: PlannedJob
}

/**
 * Lets this many workers of one core do these jobs, each from its second on, and all that they announce. Returns the second
 * in which the last one ended.
 */
export async function run(count: number, arrivals: Arrival[], outbox: Outbox): Promise<number> {
  const workers: Worker[] = Array.from({ length: count }, () => new Map())
  const queues = new Map<VideoJob, QueuedJob[]>()
  const coming = arrivals.toSorted((one, other) => one.second - other.second)
  let announced: PlannedJob[] = []
  let second = 0
  for (;;) {
    while (coming[0] && coming[0].second <= second + tiny) announced.push(...coming.splice(0, 1).map(({ job }) => job))
    if (announced.length > 0) {
      const ids = await outbox.announce(announced.map(({ name, payload }) => ({ name, payload })))
      for (const [n, job] of announced.entries()) {
        const { id = 0, turn = 0 } = ids[n] ?? {}
        queues.set(job.name, [...(queues.get(job.name) ?? []), { ...job, id, turn, left: job.cpuSeconds }])
      }
      // The last is the next.
      for (const queue of queues.values()) queue.sort((one, other) => other.turn - one.turn || other.id - one.id)
    }
    begin(queues, workers)
    const busy = workers.filter(({ size }) => size > 0)
    if (busy.length === 0 && !coming[0]) return second
    const untilNext = (coming[0]?.second ?? Number.POSITIVE_INFINITY) - second
    const pause = Math.min(untilNext, ...busy.flatMap((jobs) => [...jobs.values()].map(({ left }) => left * jobs.size)))
    second += pause
    announced = []
    for (const { id, ended } of work(busy, pause)) {
      outbox.end(id)
      announced.push(...(await ended(second)))
    }
  }
}
