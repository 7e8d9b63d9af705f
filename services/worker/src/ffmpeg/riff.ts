/** Reads bytes `start` to `end` of a file. */
export type Read = (start: number, end: number) => Promise<Buffer>

/** Bytes of the name and of the length before each chunk. */
const headBytes = 8
/** An AVI consists of chunks of a gigabyte each. */
const mostChunks = 64

/** Whether the chunks of an AVI claim more bytes than the file has; neither ffmpeg nor ffprobe mention that. */
export async function isRiffCut(size: number, read: Read): Promise<boolean> {
  let at = 0
  for (let count = 0; count < mostChunks && at + headBytes <= size; count += 1) {
    const head = await read(at, at + headBytes - 1)
    if (head.subarray(0, 4).toString('latin1') !== 'RIFF') return false
    at += headBytes + head.readUInt32LE(4)
    at += at % 2
  }
  return at > size
}
