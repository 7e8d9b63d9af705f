import { errors } from '@playtherapy/service-kit'

/** Characters that are gathered before they become bytes. */
const gathered = 65_536

/** The UTF-8 of a text that comes in parts. Throws 413 when it is longer than `most` bytes. */
export function toBytes(parts: Iterable<string>, most: number): Uint8Array {
  const chunks: Uint8Array[] = []
  let size = 0
  let text = ''
  const flush = () => {
    const chunk = Buffer.from(text)
    text = ''
    size += chunk.length
    if (size > most) throw errors.tooLarge(most)
    chunks.push(chunk)
  }
  for (const part of parts) {
    text += part
    if (text.length >= gathered) flush()
  }
  flush()
  return Buffer.concat(chunks, size)
}
