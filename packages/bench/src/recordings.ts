import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createReadStream, createWriteStream } from 'node:fs'
import { type IncomingMessage, request as openRequest } from 'node:http'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'

export const mebibyte = 1024 ** 2

/** The first bytes of an MP4 file, by which it is recognised. */
const beginning = Buffer.from('0000001c66747970' + '6d70343200000001' + '6d70343169736f6d', 'hex')

/** Makes a file of this size that begins like an MP4 file and contains noise. Returns its path. */
export async function madeUpRecording(directory: string, size: number): Promise<string> {
  const file = join(directory, `recording-${size}.mp4`)
  const noise = randomBytes(mebibyte)
  const out = createWriteStream(file)
  out.write(beginning)
  for (let left = size - beginning.length; left > 0; left -= noise.length) {
    if (!out.write(noise.subarray(0, left))) await once(out, 'drain')
  }
  out.end()
  await once(out, 'close')
  return file
}

const boundary = 'bench-boundary'
const head = Buffer.from(
  `--${boundary}\r\ncontent-disposition: form-data; name="file"; filename="a.mp4"\r\ncontent-type: video/mp4\r\n\r\n`,
)
const tail = Buffer.from(`\r\n--${boundary}--\r\n`)

/** Opens a multipart upload of a file of `size` bytes. The caller writes these to `request` and then calls `end`. */
export function openForm(url: string, headers: Record<string, string>, size: number) {
  const request = openRequest(url, {
    method: 'POST',
    agent: false,
    headers: {
      ...headers,
      'content-type': `multipart/form-data; boundary=${boundary}`,
      'content-length': head.length + size + tail.length,
    },
  })
  request.write(head)
  const answered = answerOf(request, 201)
  return { request, answered, end: () => void request.end(tail) }
}

/** Sends a file from disk as the only part of a form. Resolves at its 201. */
export async function uploadForm(url: string, headers: Record<string, string>, file: string, size: number) {
  const { request, answered, end } = openForm(url, headers, size)
  await Promise.all([
    pipeline(createReadStream(file, { highWaterMark: mebibyte }), request, { end: false }).then(end),
    answered,
  ])
}

/** Resolves when a request has been answered with the status `wanted`; rejects at any other answer. */
export async function answerOf(request: ReturnType<typeof openRequest>, wanted: number): Promise<void> {
  const [response]: IncomingMessage[] = await once(request, 'response')
  if (!response) throw new Error('no answer')
  const body = await text(response)
  if (response.statusCode !== wanted) throw new Error(`an upload returned ${response.statusCode}: ${body}`)
}
