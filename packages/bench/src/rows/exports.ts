import { createReadStream } from 'node:fs'
import {
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  UploadPartCopyCommand,
} from '@aws-sdk/client-s3'
import { createS3Store } from '@playtherapy/object-store'
import postgres from 'postgres'
import { directClient, emptyBucket } from '../bucket.ts'
import { until } from '../jobs.ts'
import { alternate, figure, ratio } from '../measure.ts'
import { madeUpRecording, mebibyte } from '../recordings.ts'
import type { Row } from '../row.ts'
import { addRendition, addSessions } from '../seed.ts'
import { memoryOf, type Sample, timed } from '../usage.ts'

const [sessions, size] = [4, 1024 * mebibyte]
/** Bytes of a part that the store copies. */
const partBytes = 64 * mebibyte

/** The export of a case with 4 GiB of recordings, beside copies of the same objects that the store makes by itself. */
export const exports: Row = {
  name: 'export',
  async measure(place) {
    const url = await place.database('exports')
    const settings = await place.bucket()
    const [store, s3, sql] = [createS3Store(settings), directClient(settings), postgres(url, { max: 1 })]
    const Bucket = settings.bucket
    const file = await madeUpRecording(place.directory, size)
    const put = (key: string) => store.put(key, createReadStream(file), { contentType: 'video/mp4' })
    const keys: string[] = []
    for (const session of await addSessions(url, sessions)) keys.push(await addRendition(url, session, put))
    const env = { ...(await place.settings(url)), QUEUE_URL: url }
    const worker = await place.start({ program: 'worker', env, ready: '/health/ready' })
    const idle = await memoryOf(worker.pid, 'VmRSS')

    const exportCase = async () => {
      await sql`insert into case_exports (case_id, without_media, pseudonyms) values (1, false, false)`
      await sql`insert into outbox (name, payload) select 'export-case', jsonb_build_object('export_id', id) from case_exports`
      const state = async () => (await sql`select state_id, failure from case_exports`)[0]
      await until(async () => Number((await state())?.state_id) > 2, 50)
      if ((await state())?.failure) throw new Error('the export failed')
    }
    const clean = async (sample: Promise<Sample>) => {
      const found = await sample
      const [made] = await sql`delete from case_exports returning path`
      if (made) await s3.send(new DeleteObjectCommand({ Bucket, Key: `export/${made.path}` }))
      return found
    }
    // In parts, as one object of all: a copy of a whole object is only a second reference to its bytes in Ceph.
    const copy = async () => {
      const place = { Bucket, Key: 'copy' }
      const { UploadId } = await s3.send(new CreateMultipartUploadCommand(place))
      const Parts: { PartNumber: number; ETag: string | undefined }[] = []
      for (const key of keys) {
        for (let from = 0; from < size; from += partBytes) {
          const part = { PartNumber: Parts.length + 1, CopySource: `${Bucket}/${key}` }
          const CopySourceRange = `bytes=${from}-${from + partBytes - 1}`
          const made = await s3.send(new UploadPartCopyCommand({ ...place, UploadId, ...part, CopySourceRange }))
          Parts.push({ PartNumber: part.PartNumber, ETag: made.CopyPartResult?.ETag })
        }
      }
      await s3.send(new CompleteMultipartUploadCommand({ ...place, UploadId, MultipartUpload: { Parts } }))
      await s3.send(new DeleteObjectCommand(place))
    }
    const samples = await alternate(
      { ours: () => clean(timed(worker, exportCase)), copy: () => timed(worker, copy) },
      { warmUp: false, rounds: 3 },
    )
    await worker.stop()
    await sql.end()
    await emptyBucket(settings)
    store.close()
    s3.destroy()
    const perSecond = ({ seconds }: Sample) => (sessions * size) / seconds
    const above = samples.ours.map(({ peakBytes }) => (peakBytes - idle) / mebibyte)
    return [
      ratio(
        { name: 'export of 4 GiB: speed against copies that the store makes', target: { least: 0.7 } },
        [samples.ours, samples.copy],
        perSecond,
      ),
      figure({ name: 'export of 4 GiB: memory above idle', unit: 'MiB', target: { most: 100 } }, above),
    ]
  },
}
