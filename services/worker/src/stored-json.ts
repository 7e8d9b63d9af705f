import { parseJson } from '@playtherapy/service-kit'
import { isAsSaved, scriptBounds } from '@playtherapy/versions/records'

/**
 * The value of a script or a report as it is stored, with the bounds of the routes. Like them it ignores a byte order mark, which a
 * script may begin with. Undefined for what no route lets in, such as bytes that are no JSON.
 */
export function storedJson(bytes: Uint8Array): unknown {
  try {
    return parseJson(bytes, [], scriptBounds)
  } catch {
    return undefined
  }
}

/** The value of a script; undefined also where its bytes do not have this SHA-256, with which it was saved: null before there were any. */
export const storedScript = (bytes: Uint8Array, checksum: string | null): unknown =>
  isAsSaved(bytes, checksum) ? storedJson(bytes) : undefined
