import { hash } from 'node:crypto'

/** Whether the bytes of a stored script are those that were saved, by their SHA-256 in hex; null for versions that are older than checksums. */
export const isAsSaved = (bytes: Uint8Array, checksum: string | null): boolean =>
  checksum === null || hash('sha256', bytes) === checksum
