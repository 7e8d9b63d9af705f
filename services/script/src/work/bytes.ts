/** All bytes in the properties of an object, however deep. */
export function bytesIn(value: unknown): Uint8Array[] {
  if (value instanceof Uint8Array) return [value]
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(bytesIn) : []
}

/** Those that can be handed to another thread: small ones may share their memory with others, and are copied. */
export const movable = (value: unknown) =>
  bytesIn(value).flatMap(({ buffer, length }) =>
    length > Buffer.poolSize && buffer instanceof ArrayBuffer ? [buffer] : [],
  )
