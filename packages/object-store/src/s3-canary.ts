import { randomUUID } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { ObjectMissingError, type ObjectStore, type UploadVerdict } from './object-store.ts'

/** Where canaries lie; no recording has such a key, and a key that may write recordings may write these. */
const canaries = 'video/canary/'
/** Age at which a canary that a killed process left is removed. */
const leftMs = 3_600_000
/** Longest wait for one answer. */
const answerMs = 5_000
/** For how long a good and a bad verdict are kept before they are found anew. */
const [safeMs, unsafeMs] = [3_600_000, 60_000]

interface CanaryStore extends Pick<ObjectStore, 'put' | 'get' | 'list' | 'delete'> {
  /** The store as browsers reach it, and as we do: the same where there is one address. */
  addresses: string[]
  /** A presigned PUT of video/mp4 for this address. */
  presign(address: string, key: string): Promise<string>
  /** The object's URL at the store itself, without a signature. */
  publicUrl(key: string): Promise<string>
}

/** Headers that nobody signed, by which servers were seen to copy the object with this key or to open one to all. */
const copies = (bucket: string, secret: string): Record<string, string>[] => [
  { 'x-amz-copy-source': `/${bucket}/${secret}` },
  { 'x-amz-copy-source': encodeURIComponent(`${bucket}/${secret}`), 'x-amz-metadata-directive': 'REPLACE' },
]
const openings: Record<string, string>[] = [
  { 'x-amz-acl': 'public-read' },
  { 'x-amz-grant-read': 'uri="http://acs.amazonaws.com/groups/global/AllUsers"' },
]

/**
 * Finds out what a presigned URL allows, by attacks on objects made for that: at the address that browsers use or, where
 * that cannot be reached from here, at the store itself, which no gateway in front of it makes weaker. Rejects when the
 * store takes no uploads at all.
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
    throw new Error('the object store took no upload')
  } finally {
    const keys: string[] = []
    for await (const { key } of store.list(place)) keys.push(key)
    await store.delete(keys)
  }
}

/** What worked, as a sentence; undefined when nothing did. */
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
    if (Date.now() - lastModified.getTime() > leftMs) left.push(key)
  }
  await store.delete(left)
}

/**
 * Keeps a verdict: a bad one for a minute, a good one for an hour, after which it still holds while a new one is found.
 * Nothing is kept of an attempt that failed.
 */
export function keepVerdict(find: () => Promise<UploadVerdict>): () => Promise<UploadVerdict> {
  let known: { verdict: UploadVerdict; until: number } | undefined
  let finding: Promise<UploadVerdict> | undefined
  const findAgain = () => {
    finding ??= find()
      .then((verdict) => {
        known = { verdict, until: Date.now() + (verdict.safe ? safeMs : unsafeMs) }
        return verdict
      })
      .finally(() => {
        finding = undefined
      })
    return finding
  }
  return async () => {
    if (known && Date.now() < known.until) return known.verdict
    if (!known?.verdict.safe) return findAgain()
    findAgain().catch(() => {})
    return known.verdict
  }
}
