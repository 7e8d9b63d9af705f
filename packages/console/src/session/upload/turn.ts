/**
 * Takes the right to upload into a session, which one tab of a browser has at a time, until `ended`: two tabs with the same file
 * would take one upload from each other again and again. Resolves with false while another tab has it. Browsers have locks only on
 * pages that came by HTTPS or from this machine; elsewhere every tab gets it.
 */
export async function takeTurn(sessionId: number, ended: AbortSignal): Promise<boolean> {
  if (!navigator.locks) return true
  return new Promise((resolve) => {
    const hold = (lock: Lock | null) => {
      resolve(lock !== null)
      if (lock === null || ended.aborted) return
      return new Promise<void>((release) => ended.addEventListener('abort', () => release()))
    }
    navigator.locks
      .request(`playtherapy.upload.${sessionId}`, { ifAvailable: true }, hold)
      // A browser that gives a page no storage has no locks for it either.
      .catch(() => resolve(true))
  })
}
