import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { request as openRequest } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { answerOf, mebibyte } from './recordings.ts'

const version = { 'tus-resumable': '1.0.0' }

/** A file on disk, and where it is uploaded by tus. */
export interface TusFile {
  /** The URL at which an upload is created. */
  url: string
  headers?: Record<string, string>
  file: string
  size: number
}

interface Piece {
  offset: number
  /** The request announces the bytes up to here. */
  end: number
  /** The connection is cut once all bytes up to here have left the client; what is beyond `end` leaves it whole. */
  cutAt: number
}

/** Sends the bytes of one request. */
async function sendPiece(url: URL, { headers, file }: TusFile, { offset, end, cutAt }: Piece): Promise<void> {
  const request = openRequest(url, {
    method: 'PATCH',
    agent: false,
    headers: {
      ...headers,
      ...version,
      'upload-offset': `${offset}`,
      'content-type': 'application/offset+octet-stream',
      'content-length': end - offset,
    },
  })
  const bytes = createReadStream(file, { start: offset, end: Math.min(end, cutAt) - 1, highWaterMark: mebibyte })
  if (cutAt > end) {
    await Promise.all([pipeline(bytes, request), answerOf(request, 204)])
    return
  }
  request.on('error', () => {})
  for await (const chunk of bytes) if (!request.write(chunk)) await once(request, 'drain')
  request.destroy()
}

async function offsetOf(url: URL, headers: TusFile['headers']): Promise<number> {
  const answer = await fetch(url, { method: 'HEAD', headers: { ...headers, ...version } })
  if (answer.status !== 200) throw new Error(`tus knows no offset: ${answer.status}`)
  return Number(answer.headers.get('upload-offset'))
}

/**
 * Sends a file by tus, in requests of `pieceBytes`, by default in one. With `cutBytes` the connection is cut whenever so many
 * bytes have left the client since the last cut. Returns for each cut how many bytes have to be sent twice.
 */
export async function uploadTus(
  target: TusFile,
  { pieceBytes = target.size, cutBytes = Number.POSITIVE_INFINITY } = {},
) {
  const { url, headers, size } = target
  const asked = { method: 'POST', headers: { ...headers, ...version, 'upload-length': `${size}` } }
  const made = await fetch(url, asked)
  const location = made.headers.get('location')
  if (made.status !== 201 || !location) throw new Error(`tus created no upload: ${made.status}`)
  const upload = new URL(location, url)
  const repeated: number[] = []
  let cutAt = cutBytes
  for (let offset = 0; offset < size; ) {
    const end = Math.min(offset + pieceBytes, size)
    await sendPiece(upload, target, { offset, end, cutAt })
    if (cutAt <= end) {
      offset = await offsetOf(upload, headers)
      repeated.push(cutAt - offset)
      cutAt = offset + cutBytes
    } else offset = end
  }
  return repeated
}
