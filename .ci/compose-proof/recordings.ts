/** Recordings to upload. */
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Recording } from './client.ts'

const mebibyte = 1024 ** 2

/** A file as it is. */
export function fromFile(file: string): Recording {
  const bytes = readFileSync(file)
  return { bytes: bytes.length, pieces: () => [bytes] }
}

/**
 * The same video in a file of a given size: a box of free space, which players skip, follows it. A slow one spreads
 * its bytes over the seconds given.
 */
export function padded(clip: Recording, bytes: number, seconds = 0): Recording {
  const padding = bytes - clip.bytes
  const head = Buffer.alloc(16)
  head.writeUInt32BE(1, 0)
  head.write('free', 4)
  head.writeBigUInt64BE(BigInt(padding), 8)
  const zeros = Buffer.alloc(mebibyte)
  return {
    bytes,
    async *pieces() {
      yield* clip.pieces()
      yield head
      for (let left = padding - head.length; left > 0; left -= zeros.length) {
        yield zeros.subarray(0, left)
        if (seconds > 0) await sleep((seconds * 1000 * zeros.length) / padding)
      }
    },
  }
}
