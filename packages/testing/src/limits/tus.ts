import type { Answer, RawRequest, Therapist } from './client.ts'

/** The header of every request. */
export const version = { 'tus-resumable': '1.0.0' }
export const mebibyte = 1_048_576
/** The length of an upload that nobody completes. */
export const hugeBytes = 1_000_000_000

/** So many bytes that begin like an MP4 file. */
export function recording(count: number): Buffer {
  const bytes = Buffer.alloc(count)
  bytes.set(Buffer.from('0000001c667479706d703432000000016d7034316d703432', 'hex'))
  return bytes
}

export const create = (therapist: Therapist, session: string, headers: Record<string, string>) =>
  therapist.send('POST', `${session}/video/tus`, { headers: { ...version, ...headers } })

export const lengthOf = (bytes: number) => ({ 'upload-length': `${bytes}` })

/** Begins an upload of so many bytes in a new session. Returns its path. */
export async function begin(therapist: Therapist, bytes: number): Promise<string> {
  const answer = await create(therapist, await therapist.newSession(), lengthOf(bytes))
  const location = answer.headers.get('location')
  if (answer.status !== 201 || !location) throw new Error(`no upload: ${answer.status} ${answer.body}`)
  return location.replace('/contents/api', '')
}

export const patchHeaders = (offset: number) => ({
  ...version,
  'upload-offset': `${offset}`,
  'content-type': 'application/offset+octet-stream',
})

export const patch = (therapist: Therapist, upload: string, offset: number, body: Uint8Array<ArrayBuffer>) =>
  therapist.send('PATCH', upload, { headers: patchHeaders(offset), body })

export const head = (therapist: Therapist, upload: string) => therapist.send('HEAD', upload, { headers: version })

export const offsetIn = ({ headers }: Answer) => Number(headers.get('upload-offset') ?? Number.NaN)

/** Opens a PATCH of a huge recording, and sends its first bytes. */
export function openPatch(therapist: Therapist, upload: string, bytes: Buffer): RawRequest {
  const one = therapist.open('PATCH', upload, { ...patchHeaders(0), 'content-length': hugeBytes })
  one.socket.write(bytes)
  return one
}
