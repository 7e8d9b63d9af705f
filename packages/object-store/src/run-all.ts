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
