import { request } from 'node:http'
import { tokenOf } from '../soak/therapist.ts'
import type { Stack } from './stack.ts'

/** One therapist's requests. Those that fail resolve with their status, 0 without an answer. */
export async function therapist(stack: Stack, userId: number) {
  const { contents, media, script, 'media-2': secondMedia } = stack.containers
  const authorization = `Bearer ${tokenOf(userId, stack.jwtSecret)}`
  const ask = async (url: string, init: RequestInit = {}): Promise<{ status: number; body: string }> => {
    const headers = { authorization, ...init.headers }
    return fetch(url, { signal: AbortSignal.timeout(60_000), ...init, headers }).then(
      async (response) => ({ status: response.status, body: await response.text() }),
      () => ({ status: 0, body: '' }),
    )
  }
  const create = async (path: string, body: object): Promise<number> => {
    const headers = { 'content-type': 'application/json' }
    const made = await ask(`${contents.url}${path}`, { method: 'POST', headers, body: JSON.stringify(body) })
    const { id }: { id: number } = JSON.parse(made.body)
    return id
  }
  const cases = '/contents/api/case'
  const caseId = await create(cases, { given_name: 'alerts' })
  const session = () => create(`${cases}/${caseId}/session`, { data: { name: 'alerts' } })
  const form = (name: string, bytes: Uint8Array<ArrayBuffer>) => {
    const body = new FormData()
    body.set(name, new File([bytes], 'file'))
    return body
  }
  return {
    read: () => ask(`${contents.url}${cases}/total-num`),
    /** Uploads a recording to a new session. */
    async upload(bytes: Uint8Array<ArrayBuffer>, sessionId?: number) {
      const id = sessionId ?? (await session())
      return ask(`${media.url}${cases}/${caseId}/session/${id}/video`, { method: 'POST', body: form('file', bytes) })
    },
    async saveScript() {
      const record = { speaker: 'T', text: 'a', start_time: '00:00:00', end_time: '00:00:01' }
      const bytes = new TextEncoder().encode(JSON.stringify({ scripts: [record] }))
      const url = `${script.url}${cases}/${caseId}/session/${await session()}/script`
      return ask(url, { method: 'POST', body: form('script', bytes) })
    },
    session,
    /** Begins an upload that brings a little each second until the signal. Resolves with the status, 0 without an answer. */
    slowUpload(sessionId: number, signal: AbortSignal, second = false) {
      const to = second && secondMedia.isWanted ? secondMedia.url : media.url
      const url = `${to}${cases}/${caseId}/session/${sessionId}/video`
      const headers = { authorization, 'content-type': 'multipart/form-data; boundary=alerts' }
      return new Promise<number>((resolve) => {
        const upload = request(url, { method: 'POST', headers, signal })
        const more = setInterval(() => upload.write(Buffer.alloc(65_536)), 1_000)
        const end = (code: number) => {
          clearInterval(more)
          upload.destroy()
          resolve(code)
        }
        upload.once('response', ({ statusCode = 0 }) => end(statusCode)).on('error', () => end(0))
        upload.write('--alerts\r\ncontent-disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n')
        upload.write(Buffer.from('000000186674797069736f6d0000020069736f6d69736f32', 'hex'))
      })
    },
  }
}

export type Therapist = Awaited<ReturnType<typeof therapist>>
