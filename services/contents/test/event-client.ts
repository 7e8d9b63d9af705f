import { once } from 'node:events'
import { get, type IncomingMessage } from 'node:http'
import { type Teardown, until } from '@playtherapy/testing'
import { Value } from 'typebox/value'
import { SessionNews } from '../src/events/schemas.ts'

interface ServerEvent {
  id: string
  name: string
  /** Of an event `session`. */
  data: SessionNews | undefined
}

/** A client of server-sent events, which reads them by the rules of the HTML standard. */
export interface EventClient {
  status: number | undefined
  headers: IncomingMessage['headers']
  /** All that has come, as text. */
  text(): string
  /** The id that the client would send when it comes back. */
  lastId(): string
  /** Events that have come and were not taken. */
  readonly events: ServerEvent[]
  /** Takes the next event. */
  next(): Promise<ServerEvent>
  /** Takes events until one has this in its data, and returns it. */
  nextWith(wanted: (data: SessionNews) => unknown): Promise<ServerEvent>
  /** Resolves when the stream has ended: with true if it was complete, with false if it broke off. */
  ended: Promise<boolean>
  hasEnded(): boolean
  /** Reads nothing until `resume` is called. */
  pause(): void
  resume(): void
  close(): void
}

/** Opens a stream. It is closed after the test. */
export async function openEvents(t: Teardown, url: string, headers: Record<string, string> = {}): Promise<EventClient> {
  const request = get(url, { headers, agent: false })
  t.teardown(() => request.destroy())
  const response: IncomingMessage = (await once(request, 'response'))[0]
  const events: ServerEvent[] = []
  let [text, rest, id] = ['', '', '']
  const read = (block: string) => {
    let [name, data] = ['message', '']
    for (const line of block.split('\n')) {
      const [, field, value = ''] = /^([^:]*)(?:: ?(.*))?$/.exec(line) ?? []
      if (field === 'id') id = value
      else if (field === 'event') name = value
      else if (field === 'data') data += value
    }
    if (data)
      events.push({ id, name, data: name === 'session' ? Value.Parse(SessionNews, JSON.parse(data)) : undefined })
  }
  response.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk
    const blocks = (rest + chunk).split('\n\n')
    rest = blocks.pop() ?? ''
    blocks.forEach(read)
  })
  const ended = new Promise<boolean>((resolve) => {
    response.once('close', () => resolve(response.complete))
    response.on('error', () => {})
  })
  const next = async () => {
    await until('an event', () => events.length > 0)
    const [event] = events.splice(0, 1)
    if (!event) throw new Error('no event')
    return event
  }
  return {
    status: response.statusCode,
    headers: response.headers,
    text: () => text,
    lastId: () => id,
    events,
    next,
    async nextWith(wanted) {
      for (;;) {
        const event = await next()
        if (event.data && wanted(event.data)) return event
      }
    },
    ended,
    hasEnded: () => response.closed,
    pause: () => response.pause(),
    resume: () => response.resume(),
    close: () => request.destroy(),
  }
}
