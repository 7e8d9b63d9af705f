import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http'
import { quantile } from './measure.ts'

/** Where a recording can be read. */
export interface Source {
  url: string
  headers: Record<string, string>
}

/** Bytes of a recording. */
export interface Range {
  start: number
  length: number
}

export interface Seeks {
  bytesPerSecond: number
  p99: number
}

/** Reads a range and discards its bytes. */
function readRange({ url, headers }: Source, { start, length }: Range, agent: Agent): Promise<void> {
  const range = `bytes=${start}-${start + length - 1}`
  return new Promise((resolve, reject) => {
    const request: ClientRequest = get(url, { agent, headers: { ...headers, range } }, (response: IncomingMessage) => {
      let got = 0
      response.on('data', (chunk: Buffer) => {
        got += chunk.length
      })
      response.once('error', reject)
      response.once('end', () => {
        if (response.statusCode === 206 && got === length) resolve()
        else reject(new Error(`a range returned ${response.statusCode} with ${got} bytes of ${length}`))
      })
    })
    request.once('error', reject)
  })
}

/** Reads ranges one after the other, as a single viewer. Returns the seconds. */
export async function readInTurn(source: Source | undefined, ranges: Range[]): Promise<number> {
  if (!source) throw new Error('no recording')
  const agent = new Agent({ keepAlive: true })
  const began = performance.now()
  for (const range of ranges) await readRange(source, range, agent)
  agent.destroy()
  return (performance.now() - began) / 1000
}

/** The gateway and media limit what one therapist may do, so the viewers belong to several. */
const viewersEach = 50
const seekSeconds = 3

/** Lets 50 viewers of each recording read one range after the other for some seconds, each on a connection of its own. */
export async function seekAround(sources: Source[], anyRange: () => Range): Promise<Seeks> {
  const agent = new Agent({ keepAlive: true, maxSockets: sources.length * viewersEach })
  const times: number[] = []
  let bytes = 0
  const began = performance.now()
  const end = began + seekSeconds * 1000
  await Promise.all(
    sources
      .flatMap((source) => Array.from({ length: viewersEach }, () => source))
      .map(async (source) => {
        while (performance.now() < end) {
          const asked = performance.now()
          const range = anyRange()
          await readRange(source, range, agent)
          bytes += range.length
          times.push(performance.now() - asked)
        }
      }),
  )
  agent.destroy()
  const seconds = (performance.now() - began) / 1000
  return { bytesPerSecond: bytes / seconds, p99: quantile(times, 0.99) }
}
