import { text } from 'node:stream/consumers'
import { ObjectExistsError, ObjectMissingError, type ObjectStore } from './object-store.ts'

/**
 * Returns the text of an object. If there is none, it is created with the text that `make` returns; of several processes that do so
 * at once, all get the text of the one that was first. Rejects when the object store fails.
 */
export async function createOnce(
  store: ObjectStore,
  key: string,
  contentType: string,
  make: () => string,
): Promise<string> {
  const read = async () => text(await store.get(key))
  return read().catch(async (error: unknown) => {
    if (!(error instanceof ObjectMissingError)) throw error
    await store.put(key, Buffer.from(make()), { contentType }).catch((putError: unknown) => {
      if (!(putError instanceof ObjectExistsError)) throw putError
    })
    return read()
  })
}
