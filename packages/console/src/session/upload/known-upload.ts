import type { PreviousUpload, UrlStorage } from 'tus-js-client'

/** An upload that was begun in this browser and is not complete: enough to go on with it, and no name of a file. */
export interface KnownUpload {
  url: string
  /** Bytes of the file. */
  size: number
  /** Names the file by its name, size and date without telling them. */
  mark: string
  /** When it was begun, in milliseconds. */
  begunAt: number
}

const prefix = 'playtherapy.upload.'
/** The server keeps an upload for a day unless an operator sets another time. */
const forgottenMs = 7 * 86_400_000

/** Reads the upload of a session that this browser knows. A browser may refuse to store anything, and then knows none. */
export function knownUpload(sessionId: number): KnownUpload | undefined {
  try {
    const { url, size, mark, begunAt } = Object(JSON.parse(localStorage.getItem(prefix + sessionId) ?? 'null'))
    return typeof url === 'string'
      ? { url, size: Number(size), mark: String(mark), begunAt: Number(begunAt) }
      : undefined
  } catch {
    return undefined
  }
}

export function forgetUpload(sessionId: number): void {
  try {
    localStorage.removeItem(prefix + sessionId)
  } catch {
    // Then nothing was stored either.
  }
}

/** Forgets uploads of sessions that nobody opened again. */
function forgetOld(): void {
  for (const key of Object.keys(localStorage)) {
    const sessionId = key.startsWith(prefix) ? Number(key.slice(prefix.length)) : Number.NaN
    const { begunAt = 0 } = knownUpload(sessionId) ?? {}
    if (Number.isInteger(sessionId) && begunAt < Date.now() - forgottenMs) forgetUpload(sessionId)
  }
}

/**
 * Names a file, so that it is known again when it is chosen again. It is a hash (FNV-1a, 2 × 32 bit), because the names of
 * recordings are often those of children, and others may use this browser, too.
 */
export function markOf({ name, size, lastModified }: File): string {
  const text = JSON.stringify([name.normalize('NFC'), size, lastModified])
  const hash = (start: number) =>
    [...text].reduce((sum, letter) => Math.imul(sum ^ (letter.codePointAt(0) ?? 0), 0x01000193), start) >>> 0
  return `${hash(0x811c9dc5).toString(36)}-${hash(0x050c5d1f).toString(36)}`
}

/**
 * What tus-js-client keeps its uploads in: one for each session. Its own storage lets an upload fail where the browser has
 * no room or refuses to store (tus-js-client 4.3).
 */
export function uploadStorage(sessionId: number): UrlStorage {
  const known = (): PreviousUpload[] => {
    const found = knownUpload(sessionId)
    if (!found) return []
    const { url, size } = found
    const key = prefix + sessionId
    return [{ size, metadata: {}, creationTime: '', urlStorageKey: key, uploadUrl: url, parallelUploadUrls: null }]
  }
  return {
    findAllUploads: async () => known(),
    findUploadsByFingerprint: async (mark) => (knownUpload(sessionId)?.mark === mark ? known() : []),
    removeUpload: async () => forgetUpload(sessionId),
    async addUpload(mark, { uploadUrl, size }) {
      try {
        forgetOld()
        const stored = { url: uploadUrl, size, mark, begunAt: Date.now() }
        localStorage.setItem(prefix + sessionId, JSON.stringify(stored))
      } catch {
        // The upload goes on, but not after the page was loaded anew.
      }
      return prefix + sessionId
    },
  }
}
