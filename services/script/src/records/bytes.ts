import { errors } from '@playtherapy/service-kit'

/** Characters that are collected before they become bytes. */
const chunkCharacters = 65_536

/** The UTF-8 of a text in parts. Throws `errors.tooLarge` when it is longer than `mostBytes`. */
export function toBytes(parts: Iterable<string>, mostBytes: number): Uint8Array {
  const chunks: Uint8Array[] = []
  let size = 0
  let text = ''
  const flush = () => {
    const chunk = Buffer.from(text)
    text = ''
    size += chunk.length
    if (size > mostBytes) throw errors.tooLarge(mostBytes)
    chunks.push(chunk)
  }
  for (const part of parts) {
    text += part
    if (text.length >= chunkCharacters) flush()
  }
  flush()
  return Buffer.concat(chunks, size)
}
