import {
  CreateBucketCommand,
  HeadBucketCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
} from '@aws-sdk/client-s3'
import { openClient, type S3Settings, statusOf } from './s3-client.ts'

/**
 * Makes the bucket if it is missing, lets browsers of these origins PUT to presigned URLs and GET, and has unfinished
 * uploads removed after two days. Returns what the server would not do, for the log.
 */
export async function prepareBucket(
  settings: S3Settings,
  { corsOrigins }: { corsOrigins: string[] },
): Promise<string[]> {
  const s3 = openClient(settings)
  const Bucket = settings.bucket
  const refused: string[] = []
  try {
    await s3.send(new HeadBucketCommand({ Bucket })).catch(async (error) => {
      if (statusOf(error) !== 404) throw error
      await s3.send(new CreateBucketCommand({ Bucket }))
    })
    const rules = {
      cors: new PutBucketCorsCommand({
        Bucket,
        CORSConfiguration: {
          CORSRules: [
            {
              AllowedOrigins: corsOrigins,
              AllowedMethods: ['PUT', 'GET'],
              AllowedHeaders: ['Authorization', 'Content-Type'],
              ExposeHeaders: ['ETag'],
              MaxAgeSeconds: 600,
            },
          ],
        },
      }),
      lifecycle: new PutBucketLifecycleConfigurationCommand({
        Bucket,
        LifecycleConfiguration: {
          Rules: [
            {
              ID: 'abort-unfinished-uploads',
              Status: 'Enabled',
              Filter: { Prefix: '' },
              AbortIncompleteMultipartUpload: { DaysAfterInitiation: 2 },
            },
          ],
        },
      }),
    }
    await s3.send(rules.cors).catch((error: Error) => refused.push(`CORS (${error.name})`))
    await s3.send(rules.lifecycle).catch((error: Error) => refused.push(`lifecycle (${error.name})`))
    return refused
  } finally {
    s3.destroy()
  }
}
