import { Agent, request as openRequest } from 'node:http'
import { median, quantile } from './measure.ts'

export interface Load {
  perSecond: number
  p50Ms: number
  p99Ms: number
  meanMs: number
}

export interface Request {
  url: string
  headers: Record<string, string>
  /** GET by default. */
  method?: 'GET' | 'POST'
}

/** Returns the body of the response; rejects unless its status is 200. */
export function fetchText({ url, headers, method = 'GET' }: Request, agent?: Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = openRequest(url, { method, headers, ...(agent && { agent }) }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.once('error', reject)
      response.once('end', () => {
        const text = Buffer.concat(chunks).toString()
        if (response.statusCode === 200) resolve(text)
        else reject(new Error(`a request returned ${response.statusCode}: ${text}`))
      })
    })
    request.once('error', reject)
    request.end()
  })
}

/** How many act at once, and for how long. */
export interface Pressure {
  clients: number
  seconds: number
}

/** Lets `clients` clients send requests for this many seconds, each the next one as soon as the last is complete. */
export const press = (next: () => Request, pressure: Pressure): Promise<Load> =>
  repeatedly((agent) => fetchText(next(), agent), pressure)

/** Lets `clients` clients do this for so many seconds, each again as soon as it has done it. */
export async function repeatedly(
  act: (agent: Agent) => Promise<unknown>,
  { clients, seconds }: Pressure,
): Promise<Load> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const times: number[] = []
  const began = performance.now()
  const end = began + seconds * 1000
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() < end) {
        const asked = performance.now()
        await act(agent)
        times.push(performance.now() - asked)
      }
    }),
  )
  agent.destroy()
  const meanMs = times.reduce((sum, time) => sum + time, 0) / times.length
  const perSecond = times.length / ((performance.now() - began) / 1000)
  return { perSecond, p50Ms: median(times), p99Ms: quantile(times, 0.99), meanMs }
}
