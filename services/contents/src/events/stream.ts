import type { ServerResponse } from 'node:http'
import { Readable } from 'node:stream'

/** A client that has not read so much of what it was sent before is dropped. It resumes where it was. */
const mostWaitingBytes = 65_536

/**
 * An id is the number of a change, times this, plus one for each event that followed. So ids rise with every event, also of
 * progress, which has no number.
 */
const idsPerChange = 1_000_000

/** The number of the change that an id names; undefined for a text that is none of our ids. */
export const numberIn = (id: string): number | undefined =>
  /^\d{1,16}$/.test(id) ? Math.floor(Number(id) / idsPerChange) : undefined

/** The text of an event, to which a stream adds its id. */
export const eventText = (name: 'session' | 'reset', data: object) =>
  `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`

export interface EventStream {
  /** The body of the response. */
  readonly body: Readable
  /**
   * Sends the first lines: `id`, if the client has one, or else that of change `number`, and the milliseconds after which to
   * come back.
   */
  open(number: number, retryMs: number, id?: string): void
  /** Sends events. When the last one has arrived, the client knows all changes up to `number`. */
  send(events: string[], number: number): void
  /** Sends a comment, so that neither a proxy nor the client takes the connection for dead. */
  beat(): void
  /** Ends the response. Nothing is sent afterwards. */
  end(): void
}

export function createStream(response: ServerResponse): EventStream {
  const body = new Readable({ read() {} })
  let id = 0
  let hasEnded = false

  function write(text: string): void {
    if (hasEnded || response.destroyed) return
    if (body.readableLength + response.writableLength > mostWaitingBytes) response.destroy()
    else body.push(text)
  }

  /** The next id, which names no later change than the last one did unless `number` is later. */
  function nextId(number: number): number {
    const last = (Math.floor(id / idsPerChange) + 1) * idsPerChange - 1
    id = Math.max(Math.min(id + 1, last), number * idsPerChange)
    return id
  }

  return {
    body,
    open(number, retryMs, given) {
      id = given === undefined ? number * idsPerChange : Number(given)
      write(`retry: ${retryMs}\nid: ${id}\n\n`)
    },
    send(events, number) {
      const last = events.length - 1
      write(events.map((event, index) => `id: ${nextId(index === last ? number : 0)}\n${event}`).join(''))
    },
    beat: () => write(': still there\n\n'),
    end() {
      if (hasEnded) return
      hasEnded = true
      body.push(null)
    },
  }
}
