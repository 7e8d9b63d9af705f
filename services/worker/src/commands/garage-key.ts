import { Type } from 'typebox'
import { Value } from 'typebox/value'

interface GarageKey {
  /** Garage's admin API, and its token. */
  url: string
  token: string
  bucket: string
  accessKeyId: string
  secretAccessKey: string
}

const Bucket = Type.Object({ id: Type.String() })
const Key = Type.Object({ secretAccessKey: Type.String() })

/**
 * Creates the key for presigned URLs on a Garage server, by version 2 of its admin API. The key may write to the bucket but
 * neither read nor own it. It may be repeated. Rejects when Garage refuses, or when the key has another secret.
 */
export async function makeGarageKey({ url, token, bucket, accessKeyId, secretAccessKey }: GarageKey): Promise<void> {
  async function ask(path: string, body?: object): Promise<unknown> {
    const answer = await fetch(`${url}/v2/${path}`, {
      method: body ? 'POST' : 'GET',
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(10_000),
    })
    const text = await answer.text()
    if (answer.status === 404) return undefined
    if (!answer.ok) throw new Error(`Garage answered ${answer.status} to ${path.split('?')[0]}`)
    return JSON.parse(text)
  }

  const found = await ask(`GetBucketInfo?globalAlias=${encodeURIComponent(bucket)}`)
  if (!Value.Check(Bucket, found)) throw new Error(`Garage has no bucket ${bucket}`)
  const known = await ask(`GetKeyInfo?id=${encodeURIComponent(accessKeyId)}&showSecretKey=true`)
  if (known === undefined) await ask('ImportKey', { accessKeyId, secretAccessKey, name: 'uploads' })
  else if (!Value.Check(Key, known) || known.secretAccessKey !== secretAccessKey) {
    throw new Error('Garage knows the upload key with another secret: choose another S3_UPLOAD_ACCESS_KEY_ID')
  }
  const rights = (permissions: object) => ({ bucketId: found.id, accessKeyId, permissions })
  await ask('AllowBucketKey', rights({ read: false, write: true, owner: false }))
  await ask('DenyBucketKey', rights({ read: true, write: false, owner: true }))
}
