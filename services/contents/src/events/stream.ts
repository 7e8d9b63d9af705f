import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/**
 * While more than this waits to be read by the client, nothing is sent to it. On top of it come the events of one round, of a
 * hundred sessions at most, whose texts the routes bound to some 3 KB.
 */
const mostWaitingBytes = 65_536

/**
 * An id is the number of a change, times this, plus one for each event that followed, and after a dot the epoch of the database. So
 * ids rise with every event, also of progress, which has no number.
 */
const idsPerChange = 1_000_000

/** So that streams which replace each other do not do so all the time. A ticket ends within this time, too. */
const replacedRetryMs = 60_000

/** The number of the change that an id names, and its epoch; undefined for a text that is none of our ids. */
export function placeIn(id: string): { number: number; epoch: string } | undefined {
  const [, count, epoch] = /^(\d{1,16})\.(\d+)$/.exec(id) ?? []
  return count && epoch ? { number: Math.floor(Number(count) / idsPerChange), epoch } : undefined
}

/** The text of an event, to which a stream adds its id. */
export const eventText = (name: 'session' | 'reset', data: object) =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

export interface EventStream {
  /** The body of the response. */
  readonly body: Readable
  /**
   * Sends the first lines: the milliseconds after which to come back, and the id of a client that knows all changes up to
   * `number`, and those up to the id `given`. All ids of the stream are of this epoch.
   */
  open(epoch: string, number: number, retryMs: number, given?: string): void
  /** Sends an event. When it has arrived, the client knows all changes up to `number`, 0 for no more than before. */
  send(event: string, number: number): void
  /** Whether the client has to read first. */
  readonly isFull: boolean
  /**
   * Sends a comment, so that neither a proxy nor the client takes the connection for dead. Called from time to time; a client
   * that has to read first, and had to the time before, is dropped.
   */
  beat(): void
  /** Ends the response. Nothing is sent afterwards. */
  end(): void
  /** Ends the response in favour of a newer one; a client that is still there comes back after a minute at the earliest. */
  replace(): void
}

export function createStream(response: ServerResponse): EventStream {
  const body = new Readable({ read() {} })
  let id = 0
  let ofEpoch = ''
  let hasEnded = false
  let wasFull = false
  const waitingBytes = () => body.readableLength + response.writableLength
  const isFull = () => waitingBytes() > mostWaitingBytes

  function write(text: string): void {
    if (!hasEnded && !response.destroyed) body.push(text)
  }

  /** The next id, which names no later change than the last one did unless `number` is later. */
  function nextId(number: number): string {
    const last = (Math.floor(id / idsPerChange) + 1) * idsPerChange - 1
    id = Math.max(Math.min(id + 1, last), number * idsPerChange)
    return `${id}.${ofEpoch}`
  }

  function end(): void {
    if (hasEnded) return
    hasEnded = true
    body.push(null)
  }

  return {
    body,
    open(epoch, number, retryMs, given = '0') {
      ofEpoch = epoch
      id = Math.max(number * idsPerChange, Number.parseInt(given, 10))
      write(`retry: ${retryMs}\nid: ${id}.${ofEpoch}\n\n`)
    },
    send(event, number) {
      write(`id: ${nextId(number)}\n${event}`)
    },
    get isFull() {
      return isFull()
    },
    beat() {
      if (!isFull()) write(': still there\n\n')
      // The operating system would go on to hold what it has not sent yet.
      else if (wasFull) response.socket?.resetAndDestroy()
      wasFull = isFull()
    },
    end,
    replace() {
      // The operating system takes no more, as for a client that has vanished: the end would wait for it, too.
      if (waitingBytes() > 0) return response.socket?.resetAndDestroy()
      write(`retry: ${replacedRetryMs}\n\n`)
      end()
    },
  }
}
