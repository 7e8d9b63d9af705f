import { type Signal, storeBackends, until } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { faultPlace, makeClip } from './place.ts'

type Body = ReadableStream | Uint8Array<ArrayBuffer>

const skip = !storeBackends.includes('s3')

/** A resumable upload whose media process ends in the middle of it, and once more between its last byte and its registration. */
async function strike(t: Test, signal: Signal) {
  const place = await faultPlace(t)
  const media = await place.media()
  await media.restart()
  const session = await place.addSession()
  const clip = await makeClip(22)
  const send = async (method: string, path: string, headers: Record<string, string>, body?: Body) => {
    const response = await fetch(media.url + path, {
      method,
      headers: { authorization: place.authorization, 'tus-resumable': '1.0.0', ...headers },
      ...(body && { body, duplex: 'half' }),
    }).catch(() => undefined)
    await response?.text().catch(() => {})
    return { status: response?.status ?? 0, headers: response?.headers }
  }
  const created = await send('POST', `${place.pathOf(session)}/tus`, { 'upload-length': String(clip.length) })
  t.equal(created.status, 201)
  const upload = created.headers?.get('location') ?? ''
  const patch = (offset: number, body: Body) =>
    send('PATCH', upload, { 'upload-offset': String(offset), 'content-type': 'application/offset+octet-stream' }, body)
  const offsetAfterRestart = async () => {
    await media.restart()
    const answered = await until(
      'a status',
      () => send('HEAD', upload, {}),
      ({ status }) => status === 200,
    )
    return Number(answered.headers?.get('upload-offset'))
  }
  const saved = async () => Number((await place.sql`select parts_bytes from tus_uploads`)[0]?.parts_bytes)

  const half = ReadableStream.from(
    (async function* () {
      yield clip.subarray(0, 14_000_000)
      await until('a saved part', saved)
      await media.kill(signal)
    })(),
  )
  t.not((await patch(0, half)).status, 204)
  const before = await saved()
  const offset = await offsetAfterRestart()
  t.ok(offset >= before && offset > 0, `${signal}: nothing that was saved is sent again: ${before}, ${offset}`)
  if (signal === 'SIGTERM') t.equal(offset, 14_000_000, 'a process that closes keeps every byte')

  place.gate.after = async ({ method, query }) => {
    if (method === 'POST' && query.includes('uploadId')) await media.kill('SIGKILL')
  }
  t.equal((await patch(offset, new Uint8Array(clip.subarray(offset)))).status, 0)
  place.gate.after = () => {}
  t.equal(await offsetAfterRestart(), clip.length, `${signal}: the next question completes it`)
  const rows = await place.sql`select state::text, size from videos`
  t.match([...rows], [{ state: 'stored', size: String(clip.length) }])
  return async () => {
    const worker = await place.worker()
    await worker.restart()
    await place.encoded(session)
    await place.settled()
    t.equal((await send('HEAD', upload, {})).headers?.get('upload-offset'), String(clip.length))
  }
}

t.test('a resumable upload goes on after its process ended', { skip }, async (t) => {
  const settle = await Promise.all((['SIGKILL', 'SIGTERM'] as const).map((signal) => strike(t, signal)))
  await Promise.all(settle.map((wait) => wait()))
})
