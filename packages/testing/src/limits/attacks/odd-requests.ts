import { createHash } from 'node:crypto'
import { type Attack, insist, range, tally } from '../attack.ts'
import type { Answer } from '../client.ts'
import { addresses, askAll, get, isRefusal, partsOf, sessionWithLinks } from '../links.ts'
import { type Environments, throughGateway } from '../place.ts'

const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')

/** Ways to write a path so that parts on the way read it differently. */
function oddPaths(link: string, poster: string): string[] {
  const { token, file } = partsOf(link)
  const base = `/contents/api/playback/${token}`
  return [
    ...[
      `${base}//${file}`,
      `//contents//api//playback//${token}//${file}`,
      `${base}/./${file}`,
      `${base}/x/../${file}`,
    ],
    ...[
      `${base}/%2e/${file}`,
      `${base}/x/%2e%2e/${file}`,
      `${base}%2f${file}`,
      `${base}%2F${file}`,
      `${base}%5c${file}`,
    ],
    ...[`${base}\\${file}`, `${base}/${file}/`, `${base}/${file}//`, `${base}/${file}/.`, `${base}/${file}/..`],
    ...[`${base}/${file};x=1`, `${base};x=1/${file}`, `${base};/${file}`, `${base}/;/${file}`, `${base}/${file}%3bx`],
    ...[
      `${base}/${file}%00`,
      `${base}/${file}%00.jpg`,
      `${base}%00/${file}`,
      `${base}/%00/${file}`,
      `${base}/${file}%0d%0a`,
    ],
    ...[`${base}/${file}%20`, `${base}/${file}.`, `${base}/${file.toUpperCase()}`, `${base}/${file}%2fposter.jpg`],
    ...[`${base}/${file}/../poster.jpg`, `${base}/../${partsOf(poster).token}/${file}`, `${base}/%252e%252e/${file}`],
    ...[
      `${base}/..%2f..%2f..%2fcase`,
      `${base}/../../case`,
      `${base}/../../../../health/ready`,
      `${base}/../../../../metrics`,
    ],
    ...[`/contents/api/playback/../../../objects/playtherapy/video`, '/objects/playtherapy/', '/objects/', '/objects'],
    ...[
      `${base}/${file}/../../../../../objects/playtherapy/`,
      `${base}/%2e%2e/%2e%2e/%2e%2e/%2e%2e/objects/playtherapy/`,
    ],
    ...[
      '/contents/api/playback',
      '/contents/api/playback/',
      '/contents/api/playback//',
      `${base}`,
      `${base}/`,
      '*',
      'x',
    ],
    ...[`http://evil.example${base}/${file}`, `${base}/${file}?download&download`, `${base}/${file}?download[]=1`],
    ...[
      `${base}/${file}?token=${token}`,
      `${base}/${file}#x`,
      `${base}/${file}?%00`,
      `${base}/${file}?%zz`,
      `${base}/%zz`,
    ],
    ...[
      `${base}/한글.mp4`,
      `${base}/${file}\u00e9`,
      `${base}/%ff%fe`,
      `${base}/%c0%ae%c0%ae/${file}`,
      `${base}/%u002e/${file}`,
    ],
    ...[7_000, 15_000, 60_000].map((length) => `${base}/${'a'.repeat(length)}`),
    ...[7_000, 15_000, 60_000].map((length) => `/contents/api/playback/${'a/'.repeat(length / 2)}${file}`),
    ...[`${base}/${'%2e%2e%2f'.repeat(700)}${file}`, `${base}/${'../'.repeat(2_000)}${file}`],
    ...[`${base.replace('playback', 'PLAYBACK')}/${file}`, `${base.replace('playback', 'play%62ack')}/${file}`],
    `${base}/${[...file].map((letter) => `%${letter.charCodeAt(0).toString(16)}`).join('')}`,
  ]
}

const paths = (name: string, environments: Environments): Attack => ({
  name,
  what: 'links whose paths have dots, encoded and double slashes, parameters, NULs, other letters, or are very long',
  environments,
  async prepare(stage) {
    const hostile = stage.therapist()
    const { links } = await sessionWithLinks(stage, hostile)
    return async () => {
      const seen: number[] = []
      for (const [purpose, link] of links) {
        const own = await get(stage.url, link)
        // Media itself names a place of the store to the gateway alone.
        for (const address of environments.media ? [stage.url] : addresses(stage)) {
          await askAll(oddPaths(link, links.get('poster') ?? ''), async (target) => {
            const answer = await get(address, target)
            seen.push(answer.status)
            const isSame = answer.status === 200 && hashOf(answer.body) === hashOf(own.body)
            const what = `${purpose} by ${target.slice(0, 300)} at ${address}: ${answer.status}`
            // The same thing by another spelling of its path is no more than what the link opens.
            insist(isSame || isRefusal(answer), `${what} ${answer.body.subarray(0, 200)}`)
            insist(isSame || !answer.body.includes(partsOf(link).token), `${what}, which repeats the token`)
          })
        }
      }
      return `answers ${tally(seen)}`
    }
  },
})

/** Headers that some part on the way might obey. */
function oddHeaders(link: string): string[][] {
  const place = '/objects/playtherapy/video/'
  const parts = (count: number) =>
    `range: bytes=${range(count)
      .map((n) => `${n * 2}-${n * 2}`)
      .join()}`
  return [
    ...['redirect', 'charset', 'buffering', 'limit-rate', 'expires'].map((name) => [`x-accel-${name}: ${place}`]),
    [`x-sendfile: /etc/passwd`, `x-lighttpd-send-file: /etc/passwd`],
    ['x-playback-version: "x"', 'x-playback-range: bytes=0-9', 'x-playback-therapist: 1', 'x-playback-name: x'],
    ...['for', 'host', 'proto', 'prefix', 'port', 'uri', 'server'].map((name) => [`x-forwarded-${name}: ../evil`]),
    ['forwarded: for=127.0.0.1;host=evil.example;proto=https', 'x-real-ip: 127.0.0.1', 'via: 1.1 evil'],
    [`x-original-url: /contents/api/case`, `x-rewrite-url: /metrics`, 'x-original-uri: /metrics'],
    ['x-http-method-override: DELETE', 'x-http-method: DELETE', 'x-method-override: DELETE'],
    ['host: evil.example'],
    ['host: evil.example', 'host: another.example'],
    [parts(100)],
    [parts(700)],
    [parts(2_000)],
    [`range: bytes=${'0-,'.repeat(1_000)}0-`],
    [`range: bytes=${','.repeat(3_000)}`],
    ...['bytes=-0', 'bytes=0--1', 'bytes=9-0', 'bytes=0-99999999999999999999', 'bytes=18446744073709551615-'].map(
      (value) => [`range: ${value}`],
    ),
    ...['bytes=-99999999999999999999', 'bytes=1e3-', 'bytes=0x10-', 'items=0-9', 'bytes', '=', 'bytes=\u0001-'].map(
      (value) => [`range: ${value}`],
    ),
    ['range: bytes=0-9', 'range: bytes=20-29'],
    ...['"x"', 'W/"x"', 'x', '""', 'Thu, 01 Jan 1970 00:00:00 GMT', '0', `"${'a'.repeat(5_000)}"`].map((value) => [
      'range: bytes=5-9',
      `if-range: ${value}`,
    ]),
    ['range: bytes=5-9', 'if-range: "a"', 'if-range: "b"'],
    ...['if-match', 'if-none-match'].map((name) => [`${name}: ${'"a",'.repeat(1_500)}"b"`]),
    ...['if-match', 'if-none-match'].map((name) => [`${name}: ${'"'.repeat(6_000)}`]),
    ['if-none-match: *'],
    ['if-modified-since: x', 'if-unmodified-since: Thu, 99 Foo 99999 99:99:99 GMT'],
    ['expect: 100-continue'],
    ['expect: the unexpected'],
    ['content-length: 5', '', 'hello'],
    ['transfer-encoding: chunked', '', '0', '', ''],
    ['transfer-encoding: chunked', 'content-length: 4', '', '0', '', ''],
    ['transfer-encoding: \u000bchunked'],
    ['upgrade: h2c', 'http2-settings: AAMAAABkAARAAAAAAAIAAAAA'],
    ['upgrade: websocket', 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==', 'sec-websocket-version: 13'],
    ['connection: close, host, range, x-request-id'],
    ['accept-encoding: gzip, br, *;q=0', 'te: trailers', 'accept: application/json', 'accept-ranges: none'],
    ['origin: https://evil.example'],
    ['origin: null', 'referer: https://evil.example/'],
    [`referer: http://gateway${link}`],
    [`x-request-id: ${partsOf(link).token}`, `user-agent: ${link}`],
    ['authorization: Bearer undefined', 'cookie: token=1'],
    [`cookie: ${'a=b; '.repeat(1_000)}`],
    [...range(90).map((n) => `x-${n}: ${n}`)],
    [' folded: x', 'no colon'],
    ['x-nul: \u0000'],
    ['scope: x', ':authority: evil'],
  ]
}

/** Returns whether an answer says of a part what a whole that is `bytes` says. */
function isPartOf({ status, headers, body }: Answer, bytes: Buffer): boolean {
  if (status === 200) return hashOf(body) === hashOf(bytes)
  if (status === 304) return body.length === 0
  const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
  return (
    status === 206 &&
    Number(size) === bytes.length &&
    body.equals(bytes.subarray(Number(start), Number(end) + 1)) &&
    body.length > 0
  )
}

const headers = (name: string, environments: Environments): Attack => ({
  name,
  what: 'links with headers that a proxy, a store or a framework might obey, and with thousands of ranges',
  environments,
  async prepare(stage) {
    const hostile = stage.therapist()
    const { links } = await sessionWithLinks(stage, hostile)
    const hls = links.get('hls')?.replace('master.m3u8', 'upper.mp4') ?? ''
    return async () => {
      const seen: number[] = []
      for (const link of [...links.values(), hls]) {
        const own = await get(stage.url, link)
        insist(own.status === 200, `${link} itself ${own.status}`)
        const address = link.endsWith('captions.vtt') ? stage.processes.script.url : stage.processes.media.url
        for (const url of [stage.url, ...(environments.media ? [] : [address])]) {
          await askAll(oddHeaders(link), async (lines) => {
            const answer = await get(url, link, lines)
            seen.push(answer.status)
            const what = `${partsOf(link).file} with ${lines.join(' ').slice(0, 200)} at ${url}: ${answer.status}`
            insist(isRefusal(answer) || isPartOf(answer, own.body), `${what} ${answer.body.subarray(0, 200)}`)
            const told = [...answer.headers].map(([name, value]) => `${name}: ${value}`).join('\n')
            insist(!/evil|\/objects\//.test(told), `${what}, ${told}`)
            insist(!told.includes(partsOf(link).token) || lines.some((line) => line.startsWith('x-request-id')), what)
          })
        }
      }
      insist((await get(stage.url, hls)).status === 200, 'the recording is gone')
      return `answers ${tally(seen)}`
    }
  },
})

/** Links whose paths or headers some part on the way may read otherwise than we do. */
export const oddRequestAttacks: Attack[] = [
  paths('link-paths', {}),
  paths('link-paths-gateway', throughGateway),
  headers('link-headers', {}),
  headers('link-headers-gateway', throughGateway),
]
