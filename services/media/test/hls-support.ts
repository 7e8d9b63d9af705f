import { randomBytes } from 'node:crypto'
import type { Rung } from '@playtherapy/schema'
import { bytesOfRung, type RungFile } from '@playtherapy/testing'
import type { Test } from 'tap'
import type { testMedia } from './support.ts'

export type Media = Awaited<ReturnType<typeof testMedia>>

/** A file of a chunk whose bytes are random: a header and segments of four seconds. */
export function testFile(header: Buffer, segments: number): RungFile {
  const list = Array.from({ length: segments }, (): [number, number] => [4, 1_000 + Math.floor(Math.random() * 500)])
  const size = list.reduce((sum, [, bytes]) => sum + bytes, 0)
  return { header, segments: list, bytes: Buffer.concat([header, randomBytes(size)]) }
}

/** The links of the session. */
export async function linksOf({ host, path, auth }: Media, base = host.url) {
  const response = await fetch(base + path.replace(/video$/, 'playback'), { method: 'POST', headers: auth })
  return Object(await response.json())
}

/** The URL of the main playlist; undefined as long as there is none. */
export async function linkOf(media: Media, base = media.host.url): Promise<string | undefined> {
  const { hls } = await linksOf(media, base)
  return typeof hls === 'string' ? base + hls : undefined
}

export async function textOf(url: string | URL) {
  const response = await fetch(url)
  return { status: response.status, type: response.headers.get('content-type'), text: await response.text() }
}

/** The URIs and byte ranges of a playlist, in order, each with its seconds; a header has none. */
export function segmentsIn(playlist: string) {
  const found: { uri: string; start: number; bytes: number; seconds: number | undefined }[] = []
  let [seconds, range]: [number | undefined, string[]] = [undefined, []]
  for (const line of playlist.split('\n')) {
    const map = /^#EXT-X-MAP:URI="([^"]+)",BYTERANGE="(\d+)@(\d+)"$/.exec(line)
    if (map?.[1]) found.push({ uri: map[1], start: Number(map[3]), bytes: Number(map[2]), seconds: undefined })
    if (line.startsWith('#EXTINF:')) seconds = Number.parseFloat(line.slice(8))
    if (line.startsWith('#EXT-X-BYTERANGE:')) range = line.slice(17).split('@')
    if (line && !line.startsWith('#'))
      found.push({ uri: line, bytes: Number(range[0]), start: Number(range[1]), seconds })
  }
  return found
}

const rangeOf = ({ start, bytes }: { start: number; bytes: number }) => ({
  range: `bytes=${start}-${start + bytes - 1}`,
})

/** Reads all that a playlist lists, checks that it is these bytes, and returns the playlist. */
export async function checkRung(t: Test, main: string, rung: Rung, files: RungFile[]) {
  const { text } = await textOf(main)
  const uri = text.split('\n').find((line) => line.startsWith(`${rung}.m3u8`)) ?? /URI="(sound[^"]+)"/.exec(text)?.[1]
  const url = new URL(uri ?? '', main)
  const playlist = await textOf(url)
  const read: Buffer[] = []
  for (const entry of segmentsIn(playlist.text)) {
    const response = await fetch(new URL(entry.uri, url), { headers: rangeOf(entry) })
    const size = bytesOfRung(files).length
    t.match(
      [response.status, response.headers.get('content-range'), response.headers.get('content-length')],
      [206, `bytes ${entry.start}-${entry.start + entry.bytes - 1}/${size}`, `${entry.bytes}`],
    )
    read.push(Buffer.from(await response.arrayBuffer()))
  }
  t.equal(Buffer.concat(read).compare(bytesOfRung(files)), 0, `the segments of ${rung} are its bytes`)
  return playlist.text
}
