import { appendFile } from 'node:fs/promises'
import { buildPrograms } from '@playtherapy/programs'
import { openEncodes } from './encodes.ts'
import { bareFfmpeg, phoneRecording, playableRecording } from './ffmpeg.ts'
import { openPlace } from './place.ts'

await buildPrograms()
const place = await openPlace()
const encodes = await openEncodes(place, 'encodes')
const { directory } = place
const [phone, playable] = [await phoneRecording(directory, 60), await playableRecording(directory, 60)]
const worker = await encodes.startWorker()
const mark = (t: string) => appendFile('/tmp/tl/fifo', `${Date.now() / 1000} ${t}\n`)
for (const [name, file] of [
  ['copy', playable],
  ['copy', playable],
  ['phone', phone],
  ['copy', playable],
  ['phone', phone],
] as const) {
  const up = await encodes.upload(file)
  await mark(`${name} 201`)
  const s = await encodes.encoded(up)
  await mark(`${name} encoded`)
  console.log(name, s)
  await encodes.idle()
  await mark(`${name} idle`)
  const b = await bareFfmpeg(directory, file, name === 'copy' ? 'copying' : 'encoding')
  console.log('bare', name, b.seconds, s / b.seconds)
}
await worker.stop()
await encodes.stop()
await place.stop()
process.exit(0)
