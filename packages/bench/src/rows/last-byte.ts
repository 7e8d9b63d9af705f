import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { directClient, emptyBucket } from '../bucket.ts'
import { alternate, figure } from '../measure.ts'
import { madeUpRecording, mebibyte, openForm } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addSessions, therapist } from '../seed.ts'

const partBytes = 5 * mebibyte
const parts = 6
/** These last bytes are sent when all others have long been stored: both sides then have the same left to do. */
const restBytes = 100_000
/** Everything before them is stored within this time. */
const restAfterMs = 400

/** Uploads whole parts, waits, and returns how long the last bytes and the completion take, in milliseconds. */
async function direct(s3: S3Client, Bucket: string, Key: string, file: string): Promise<number> {
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }))
  const upload = { Bucket, Key, UploadId }
  const Parts: { PartNumber: number; ETag: string | undefined }[] = []
  const send = async (PartNumber: number, Body: Buffer) => {
    const { ETag } = await s3.send(new UploadPartCommand({ ...upload, PartNumber, Body }))
    Parts.push({ PartNumber, ETag })
  }
  let number = 0
  for await (const chunk of createReadStream(file, { highWaterMark: partBytes, end: parts * partBytes - 1 })) {
    await send(++number, chunk)
  }
  const last = randomBytes(restBytes)
  await sleep(restAfterMs)
  const began = performance.now()
  await send(++number, last)
  await s3.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }))
  return performance.now() - began
}

/** The same through our service: returns the milliseconds from the last bytes of the form to the 201. */
async function throughUs(url: string, headers: Record<string, string>, file: string): Promise<number> {
  const { request, answered, end } = openForm(url, headers, parts * partBytes + restBytes)
  for await (const chunk of createReadStream(file, { highWaterMark: mebibyte, end: parts * partBytes - 1 })) {
    if (!request.write(chunk)) await once(request, 'drain')
  }
  const last = randomBytes(restBytes)
  await sleep(restAfterMs)
  const began = performance.now()
  request.write(last)
  end()
  await answered
  return performance.now() - began
}

/** The time from the last byte to the 201, minus the store's own time for the last part and the completion. */
export const lastByte: Row = {
  name: 'last-byte',
  async measure(place) {
    const databaseUrl = await place.database('uploads')
    const bucket = await place.bucket()
    const media = await place.start({
      program: 'media',
      env: await place.settings(databaseUrl),
      ready: '/health/ready',
    })
    const [session] = await addSessions(databaseUrl, 1)
    if (!session) throw new Error('no session')
    const file = await madeUpRecording(place.directory, parts * partBytes)
    const s3 = directClient(bucket)
    let count = 0
    const samples = await alternate(
      {
        ours: () => throughUs(`${media.url}${session.path}/video`, place.as(therapist), file),
        store: () => direct(s3, bucket.bucket, `peers/last-${++count}`, file),
      },
      { rounds: 15 },
    )
    s3.destroy()
    await media.stop()
    await emptyBucket(bucket)
    const more = samples.ours.map((ms, round) => ms - (samples.store[round] ?? Number.NaN))
    return [figure({ name: 'last byte to 201, beyond the store’s own', unit: 'ms', target: { most: 15 } }, more)]
  },
}
