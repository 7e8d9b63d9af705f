import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { scriptOf, sessionWithVideo } from './attack.ts'
import { type Answer, exchange, parse, type Therapist } from './client.ts'
import type { Stage } from './place.ts'

const Links = Type.Record(Type.String(), Type.Union([Type.String(), Type.Integer(), Type.Null()]))

/** The paths of a session's links, by purpose; only those that are there. */
export async function linksOf(therapist: Therapist, session: string): Promise<Map<string, string>> {
  const answer = await therapist.send('POST', `${session}/playback`)
  if (answer.status !== 200) throw new Error(`there are no links: ${answer.status} ${answer.body}`)
  const { expires_at, ...links } = Value.Parse(Links, parse(answer))
  const found = Object.entries(links)
  return new Map(found.flatMap(([purpose, link]) => (typeof link === 'string' ? [[purpose, link] as const] : [])))
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

/** Makes a session whose five links are all there. */
export async function sessionWithLinks(stage: Pick<Stage, 'clips'>, therapist: Therapist) {
  const session = await sessionWithVideo(therapist, await stage.clips.get('small.mp4'))
  await therapist.sendFile(`${session}/script`, 'script', scriptOf(['오늘은 무엇을 하고 싶니?']))
  for (let left = 60; ; left--, await sleep(500)) {
    const links = await linksOf(therapist, session)
    if (links.size === 5) return { session, links }
    if (left === 0) throw new Error(`only these links are there: ${[...links.keys()]}`)
  }
}

/** The addresses at which strangers could reach the routes of links. */
export const addresses = ({ url, processes: { media, script } }: Stage) => [url, media.url, script.url]

/** Waits for all, some at a time, so that the gateway's rate does not answer in place of the services. */
export async function askAll<T>(targets: T[], ask: (target: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < targets.length; at += 20) await Promise.all(targets.slice(at, at + 20).map(ask))
}

/** Returns whether an answer is by the contract, or of the gateway itself about a request that is none. */
export const isRefusal = ({ status }: Answer) => status === 0 || (status >= 400 && status < 500)

/** The address of a file beside the main playlist; undefined as long as there is no playlist. */
async function hlsOf(stage: Pick<Stage, 'url'>, therapist: Therapist, session: string) {
  const main = (await linksOf(therapist, session)).get('hls')
  return main && ((file: string) => stage.url + main.replace('master.m3u8', file))
}

/** Waits until the recording of a session can be played by HLS. */
export async function playable(stage: Pick<Stage, 'url'>, therapist: Therapist, session: string) {
  for (let left = 360; left > 0; left--, await sleep(500)) {
    const address = await hlsOf(stage, therapist, session)
    if (address) return address
  }
  throw new Error('the recording cannot be played')
}
