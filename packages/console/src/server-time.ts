/** By how much the clock of the server is ahead of that of this device, in milliseconds. */
let aheadMs = 0

/** Learns the time of the server from the header `Date` of a response. The clock of a tablet may be wrong by days. */
export function learnTime({ headers }: Response): void {
  const at = Date.parse(headers.get('date') ?? '')
  if (!Number.isNaN(at)) aheadMs = at - Date.now()
}

/** Milliseconds since 1970, by the clock of the server as it was in the last response, to about a second. */
export const serverTime = () => Date.now() + aheadMs
