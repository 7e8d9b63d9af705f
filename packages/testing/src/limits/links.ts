import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Answer, exchange, parse, type Therapist } from './client.ts'

const Links = Type.Record(Type.String(), Type.Union([Type.String(), Type.Null()]))

/** The paths of a session's links, by purpose; only those that are there. */
export async function linksOf(therapist: Therapist, session: string): Promise<Map<string, string>> {
  const answer = await therapist.send('POST', `${session}/playback`)
  if (answer.status !== 200) throw new Error(`there are no links: ${answer.status} ${answer.body}`)
  const { expires_at, ...links } = Value.Parse(Links, parse(answer))
  const found = Object.entries(links)
  return new Map(found.flatMap(([purpose, link]) => (link === null ? [] : [[purpose, link] as const])))
}

/** The token of a link and the name of its file. */
export function partsOf(link: string): { token: string; file: string } {
  const [file = '', token = ''] = link.split('/').toReversed()
  return { token, file }
}

/** Asks for a path as it is, with these lines of headers, which may have a host of their own. */
export function get(url: string, target: string, lines: string[] = [], method = 'GET'): Promise<Answer> {
  const host = lines.some((line) => line.startsWith('host:')) ? [] : ['host: gateway']
  const head = [`${method} ${target} HTTP/1.1`, 'connection: close', ...host, ...lines, '', '']
  return exchange(url, head.join('\r\n'))
}

/** The segments of a playlist, in order: the bytes of each, and where they begin in the file of the rung. */
export function segmentsOf(playlist: string): { start: number; end: number }[] {
  return [...playlist.matchAll(/#EXT-X-BYTERANGE:(\d+)@(\d+)/g)].map(([, bytes, start]) => ({
    start: Number(start),
    end: Number(start) + Number(bytes) - 1,
  }))
}
