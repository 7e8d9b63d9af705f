import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { uploadKey } from './keys.ts'
import { ObjectMissingError, type ObjectStore, type UploadVerdict } from './object-store.ts'

/** Prefix of canaries, where presigned URLs lead. The key of no recording begins so. */
const canaries = uploadKey('canary/')
/** Age at which a canary of a killed process is removed. */
const leftoverMs = 3_600_000
/** Longest wait for one response. */
const answerMs = 5_000
/** For how long a safe and an unsafe verdict are kept. */
const [safeMs, unsafeMs] = [3_600_000, 60_000]

interface CanaryStore extends Pick<ObjectStore, 'put' | 'get' | 'list' | 'delete'> {
  /** The store's address for browsers and, if it is another one, for us. */
  addresses: string[]
  /** Whether the object is encrypted as the settings say. */
  isEncrypted(key: string): Promise<boolean>
  /** A presigned PUT of video/mp4 at this address. */
  presign(address: string, key: string): Promise<string>
  /** The object's URL at our address, without a signature. */
  publicUrl(key: string): Promise<string>
}

/** Headers that nobody signed, with which some servers copy the object with this key, or let everybody read one. */
const copies = (bucket: string, secret: string): Record<string, string>[] => [
  { 'x-amz-copy-source': `/${bucket}/${secret}` },
  { 'x-amz-copy-source': encodeURIComponent(`${bucket}/${secret}`), 'x-amz-metadata-directive': 'REPLACE' },
]
const openings: Record<string, string>[] = [
  { 'x-amz-acl': 'public-read' },
  { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
]

/**
 * Finds out what a presigned URL allows, by attacks on objects made for that: at the address for browsers or, if that
 * cannot be reached from here, at ours, which a gateway in front of it can only make safer. Rejects when the store accepts
 * no upload.
 */
export async function tryUploads(store: CanaryStore, bucket: string): Promise<UploadVerdict> {
  await removeLeft(store)
  const place = `${canaries}${randomUUID()}/`
  const secret = `${place}secret.mp4`
  try {
    const secretText = randomUUID()
    await store.put(secret, Buffer.from(secretText), { contentType: 'video/mp4' })
    for (const [index, address] of store.addresses.entries()) {
      const found = await attack(store, address, `${place}${index}/`, { secretText, headers: copies(bucket, secret) })
      if (found === 'unreachable') continue
      const notice =
        index === 0
          ? undefined
          : `${store.addresses[0]} cannot be reached from here, so presigned uploads were tried at the store itself. `
      if (!found) return { safe: true, ...(notice && { notice: `${notice}It refuses what it should.` }) }
      return { safe: false, notice: `${notice ?? ''}${found}` }
    }
    throw new Error('the object store accepted no upload')
  } finally {
    const keys: string[] = []
    for await (const { key } of store.list(place)) keys.push(key)
    await store.delete(keys)
  }
}

/** The attack that succeeded, as a sentence; undefined when none did. */
async function attack(
  store: CanaryStore,
  address: string,
  place: string,
  { secretText, headers }: { secretText: string; headers: Record<string, string>[] },
): Promise<string | 'unreachable' | undefined> {
  let uploads = 0
  const put = async (body: string, more: Record<string, string>) => {
    const key = `${place}${++uploads}.mp4`
    const answer = await fetch(await store.presign(address, key), {
      method: 'PUT',
      body,
      redirect: 'manual',
      signal: AbortSignal.timeout(answerMs),
      headers: { 'content-type': 'video/mp4', ...more },
    })
    await answer.arrayBuffer()
    const stored = await store.get(key).then(text, (error: unknown) => {
      if (error instanceof ObjectMissingError) return undefined
      throw error
    })
    return { key, stored }
  }
  const plain = await put('plain', {}).catch(() => undefined)
  if (plain?.stored !== 'plain') return 'unreachable'
  if (!(await store.isEncrypted(plain.key))) {
    return `What a presigned URL brings to ${address} is not encrypted as S3_ENCRYPTION says, so none is given out: run prepare-bucket, or set the default encryption of the bucket.`
  }
  for (const more of headers) {
    if ((await put('', more)).stored !== secretText) continue
    return `A presigned URL lets its bearer copy any object at ${address}, so none is given out: name a key that may only write in S3_UPLOAD_ACCESS_KEY_ID, run prepare-bucket, or put the gateway of .docker/nginx.conf before the store.`
  }
  for (const more of openings) {
    const { key } = await put('open', more)
    const answer = await fetch(await store.publicUrl(key), { signal: AbortSignal.timeout(answerMs) })
    await answer.arrayBuffer()
    if (!answer.ok) continue
    return `A presigned URL lets its bearer open an object to everybody at ${address}, so none is given out: run prepare-bucket, or put the gateway of .docker/nginx.conf before the store.`
  }
  return undefined
}

async function removeLeft(store: CanaryStore): Promise<void> {
  const left: string[] = []
  for await (const { key, lastModified } of store.list(canaries)) {
    if (Date.now() - lastModified.getTime() > leftoverMs) left.push(key)
  }
  await store.delete(left)
}

/**
 * Keeps an unsafe verdict for a minute, and a safe one for an hour; the old safe verdict is still returned while a new one
 * is found. A failed attempt is not kept.
 */
export function keepVerdict(find: () => Promise<UploadVerdict>): () => Promise<UploadVerdict> {
  let known: { verdict: UploadVerdict; until: number } | undefined
  let finding: Promise<UploadVerdict> | undefined
  const findAgain = () => {
    finding ??= find()
      .then((verdict) => {
        known = { verdict, until: performance.now() + (verdict.safe ? safeMs : unsafeMs) }
        return verdict
      })
      .finally(() => {
        finding = undefined
      })
    return finding
  }
  return async () => {
    if (known && performance.now() < known.until) return known.verdict
    if (!known?.verdict.safe) return findAgain()
    findAgain().catch(() => {})
    return known.verdict
  }
}
