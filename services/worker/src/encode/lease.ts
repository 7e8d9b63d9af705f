import { untraced } from '@playtherapy/tracing'

/** What a job holds while it works, so that no other attempt begins. */
export interface Lease {
  /** Renews it, and records the progress in percent; false when the work was replaced or deleted. */
  renew(progress: number): Promise<boolean>
  /** Ends it, so that a retry can begin at once. */
  release(): Promise<void>
}

/** Pause between two renewals, which also write the progress. */
const renewMs = 1_000

/** Another attempt or a newer video has replaced this one, or its session was deleted. */
export class OvertakenError extends Error {}

/**
 * Works under a lease, and ends it. The signal of the work fires with `signal`, and when the lease is lost. Returns false when it was
 * lost: then an error of the work is none, because a video that was deleted or replaced may have lost its original.
 */
export async function underLease(
  lease: Lease,
  signal: AbortSignal,
  work: (signal: AbortSignal, onProgress: (percent: number) => void) => Promise<void>,
): Promise<boolean> {
  const stop = new AbortController()
  let progress = 0
  let renewal: Promise<void> | undefined
  const renewing = setInterval(() => {
    renewal ??= untraced(() => lease.renew(progress))
      .then((isCurrent) => (isCurrent ? undefined : stop.abort(new OvertakenError())))
      // If the lease expires while the database is down, the commit finds another attempt and changes nothing.
      .catch(() => {})
      .finally(() => {
        renewal = undefined
      })
  }, renewMs)
  try {
    await work(AbortSignal.any([signal, stop.signal]), (percent) => {
      progress = percent
    })
    return true
  } catch (error) {
    const isCurrent = !stop.signal.aborted && (await lease.renew(progress).catch(() => true))
    if (isCurrent) throw error
    return false
  } finally {
    clearInterval(renewing)
    // A renewal that ends later would take the lease once more.
    await renewal
    await lease.release().catch(() => {})
  }
}
