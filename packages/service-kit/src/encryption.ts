import { NotEncryptedError, type ObjectStore } from '@playtherapy/object-store'
import { ConfigError } from './config.ts'

/**
 * Throws ConfigError if the object store does not encrypt as S3_ENCRYPTION says. While it cannot be asked a process starts all the
 * same: it is not ready, and writes nothing before the store has been asked.
 */
export async function requireEncryption(store: Pick<ObjectStore, 'checkEncryption'>): Promise<void> {
  try {
    await store.checkEncryption()
  } catch (error) {
    if (!(error instanceof NotEncryptedError)) return
    throw new ConfigError(
      `The object store does not encrypt as S3_ENCRYPTION says: ${error.message}. Set up the encryption and its key there, and let the access key use them, or set another S3_ENCRYPTION.`,
    )
  }
}
