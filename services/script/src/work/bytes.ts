/** All byte arrays in an object, at any depth. */
export function bytesIn(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(bytesIn) : []
}

/** The buffers that can be moved to another thread. Small byte arrays are copied: they may share a buffer. */
export const movable = (value: unknown) =>
  bytesIn(value).flatMap(({ buffer, length }) =>
    length > Buffer.poolSize && buffer instanceof ArrayBuffer ? [buffer] : [],
  )
