import { DeleteObjectsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import type { S3Settings } from '@playtherapy/object-store'

/** Returns an SDK client for the bucket with the settings of our own. */
export const directClient = ({ endpoint = '', region, forcePathStyle, ...credentials }: S3Settings) =>
  new S3Client({
    endpoint,
    region,
    forcePathStyle,
    credentials,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
  })

/** Deletes all objects, so that the disk does not fill up. */
export async function emptyBucket(settings: S3Settings): Promise<void> {
  const s3 = directClient(settings)
  const Bucket = settings.bucket
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket })) {
    const Objects = Contents.map(({ Key }) => ({ Key }))
    if (Objects.length > 0) await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }))
  }
  s3.destroy()
}
