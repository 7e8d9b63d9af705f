import { StoreSilentError } from './object-store.ts'

/**
 * Runs tasks one after the other, also after one has failed, so that an object that cannot be removed keeps no other one. Rejects with
 * the first failure when all have run, and at once when the store hangs, because each task would wait for it.
 */
export async function runAll(tasks: AsyncIterable<Task> | Iterable<Task>): Promise<void> {
  const failures: unknown[] = []
  for await (const task of tasks) {
    await task().catch((error: unknown) => {
      if (error instanceof StoreSilentError) throw error
      failures.push(error)
    })
  }
  if (failures.length > 0) throw failures[0]
}

type Task = () => Promise<unknown>

/** Works on so many items at the same time, and yields the results in their order. Stops at the first failure. */
export async function* inOrder<T, R>(
  items: AsyncIterable<T>,
  atOnce: number,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const running: Promise<R>[] = []
  for await (const item of items) {
    const result = work(item)
    // Its turn comes later, and after a failure never: then a rejection would end the process.
    result.catch(() => {})
    running.push(result)
    const first = running.length >= atOnce && running.shift()
    if (first) yield await first
  }
  for (const result of running) yield await result
}

/** Yields items in lists of so many; the last one may be shorter. */
export async function* batchesOf<T>(items: AsyncIterable<T>, most: number): AsyncGenerator<T[]> {
  let batch: T[] = []
  for await (const item of items) {
    batch.push(item)
    if (batch.length < most) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}
