import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { promisify } from 'node:util'

const fillerBytes = 8 * 1024 ** 2

/** Makes a recording of which a worker has to encode every frame, with 8 MiB behind it that players skip. */
export async function makeRecording(file: string, seconds: number) {
  await promisify(execFile)('ffmpeg', [
    ...['-loglevel', 'error', '-f', 'lavfi', '-i', `testsrc2=size=640x360:rate=25:duration=${seconds}`],
    ...['-f', 'lavfi', '-i', `sine=frequency=440:duration=${seconds}`],
    ...['-c:v', 'mpeg4', '-q:v', '3', '-c:a', 'aac', file],
  ])
  const filler = Buffer.alloc(fillerBytes)
  filler.writeUInt32BE(filler.length)
  filler.write('free', 4)
  await writeFile(file, Buffer.concat([await readFile(file), filler]))
}
