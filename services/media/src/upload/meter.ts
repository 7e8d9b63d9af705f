import { ApiError, createShares, type Meter } from '@playtherapy/service-kit'
import type { FastifyRequest } from 'fastify'

/** One process accepts this many uploads at once, however they come, which bounds the memory of their part buffers. */
const mostUploads = 64

/**
 * How a request with bytes of a recording ended: its bytes are durable, it was refused because of what was sent, it failed because
 * of us, or its client disconnected.
 */
const outcomes = ['stored', 'refused', 'failed', 'cut'] as const

/** Runs the work of a request that uploads bytes, within the bound of the process and the share of its therapist. */
export type Uploads = <T>(request: FastifyRequest, work: () => Promise<T>) => Promise<T>

/**
 * Creates the bound on uploads and their metrics. The share is held until the work has left memory, which may be long after the client
 * has disconnected. Throws `errors.tooManyRequests` (429) and `errors.unavailable` (503) before the work begins.
 */
export function createUploads(meter: Meter): Uploads {
  const shares = createShares(mostUploads)
  const running = new Set<() => number>()
  const receivedOf = (all: Iterable<() => number>) => [...all].reduce((sum, received) => sum + received(), 0)
  meter.refusals('uploads', shares.refused)
  meter.gauges(
    {
      uploads_in_flight: { help: 'Requests that upload bytes of a recording now, of the 64 that may' },
      uploads_in_flight_bytes: { help: 'Bytes that these requests have brought so far' },
    },
    async () => ({ uploads_in_flight: shares.held, uploads_in_flight_bytes: receivedOf(running) }),
  )
  const countRequest = meter.counter({
    name: 'upload_requests_total',
    help: 'Requests with bytes of a recording that have ended, by how: stored, refused, failed because of us, cut by the client',
    labels: { outcome: outcomes },
  })
  const countBytes = meter.counter({
    name: 'upload_received_bytes_total',
    help: 'Bytes of upload requests that have ended, by how they ended',
    labels: { outcome: outcomes },
  })

  /** An upload that the bound of the process refuses has failed because of us; one beyond a therapist's share is refused. */
  const take = (userId: number) => {
    try {
      return shares.take(userId)
    } catch (error) {
      countRequest({ outcome: isOurs(error) ? 'failed' : 'refused' })
      throw error
    }
  }

  return async (request, work) => {
    const release = take(request.userId)
    const { socket, readableLength } = request.raw
    // What has arrived of the body already was read from the socket before.
    const before = socket.bytesRead - readableLength
    const received = () => socket.bytesRead - before
    running.add(received)
    const end = (outcome: (typeof outcomes)[number]) => {
      release()
      running.delete(received)
      countRequest({ outcome })
      countBytes({ outcome }, received())
    }
    try {
      const result = await work()
      end('stored')
      return result
    } catch (error) {
      end(socket.destroyed ? 'cut' : isOurs(error) ? 'failed' : 'refused')
      throw error
    }
  }
}

/** Whether the upload failed because of us: the object store has a code of its own, which is no 5xx. */
const isOurs = (error: unknown) =>
  !(error instanceof ApiError) ||
  error.status >= 500 ||
  (error.detail?.some(({ type }) => type === 'store_unavailable') ?? false)
