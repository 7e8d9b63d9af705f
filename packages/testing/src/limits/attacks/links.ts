import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, Broken, insist, range, scriptOf, sessionWithVideo, tally } from '../attack.ts'
import { type Answer, parse, type Therapist } from '../client.ts'
import { get, linksOf, partsOf } from '../links.ts'
import type { Environments, Stage } from '../place.ts'

const throughGateway: Environments = { media: { PLAYBACK_ACCEL_PREFIX: '/objects/' } }
const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const hashOf = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
const codeOf = (answer: Answer): unknown => Object(parse(answer)).error_code

/** Makes a session whose five links are all there. */
async function sessionWithLinks(stage: Pick<Stage, 'clips'>, therapist: Therapist) {
  const session = await sessionWithVideo(therapist, await stage.clips.get('small.mp4'))
  await therapist.sendFile(`${session}/script`, 'script', scriptOf(['오늘은 무엇을 하고 싶니?']))
  for (let left = 60; ; left--, await sleep(500)) {
    const links = await linksOf(therapist, session)
    if (links.size === 5) return { session, links }
    if (left === 0) throw new Error(`only these links are there: ${[...links.keys()]}`)
  }
}

/** The addresses at which strangers could reach the routes of links. */
const addresses = ({ url, processes: { media, script } }: Stage) => [url, media.url, script.url]

/** Changes of a token that are no token any more. */
function forgeriesOf(token: string, others: string[], jwt: string): string[] {
  const [payload = '', signature = ''] = token.split('.')
  const flipped = [...token].flatMap((letter, index) => {
    if (letter === '.') return []
    const other = letters[(letters.indexOf(letter) + 1) % letters.length] ?? ''
    return [token.slice(0, index) + other + token.slice(index + 1)]
  })
  const text = Buffer.from(payload, 'base64url').toString()
  const [keyId, ...rest] = text.split(':')
  const again = (changed: string) => `${Buffer.from(changed).toString('base64url')}.${signature}`
  return [
    ...flipped,
    ...[1, 2, 10, signature.length, signature.length + 1, token.length - 1].map((cut) => token.slice(0, -cut)),
    ...[`${token}A`, `${token}=`, `${token}.`, `${token}.${signature}`, `${token}%00`, `${token}%20`, `.${signature}`],
    ...[token.toUpperCase(), token.toLowerCase(), token.replace('.', '%2e%2e'), `${payload}=.${signature}`],
    ...['none', '', '__proto__', 'k1'].map((id) => again([id, ...rest].join(':'))),
    again([keyId, ...rest.slice(0, -1), '9999999999'].join(':')),
    again(text.replace(/:\d+:/, ':1:')),
    ...others.flatMap((other) => {
      const [otherPayload, otherSignature] = other.split('.')
      return [`${payload}.${otherSignature}`, `${otherPayload}.${signature}`]
    }),
    ...[jwt, jwt.split('.').slice(1).join('.'), '-', 'null', 'undefined', '%E2%80%AE', 'a'.repeat(6_000)],
  ]
}

/** Waits for all, some at a time, so that the gateway's rate does not answer in place of the services. */
async function askAll<T>(targets: T[], ask: (target: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < targets.length; at += 20) await Promise.all(targets.slice(at, at + 20).map(ask))
}

const forged: Attack = {
  name: 'forged-links',
  what: 'links with tokens that are changed, cut, swapped, of other purposes, or a JWT',
  async prepare(stage) {
    const hostile = stage.therapist()
    const { links } = await sessionWithLinks(stage, hostile)
    const jwt = hostile.authorization.slice('Bearer '.length)
    return async () => {
      const seen: number[] = []
      const refuse = async (address: string, token: string, file: string) => {
        const answer = await get(address, `/contents/api/playback/${token}/${file}`, [`authorization: Bearer ${jwt}`])
        seen.push(answer.status)
        const isRefused = answer.status === 404 && codeOf(answer) === 404
        const isRepeated = token.length > 40 && answer.body.includes(token)
        insist(isRefused && !isRepeated, `${token}/${file} at ${address}: ${answer.status}`)
      }
      const all = [...links.values()].map(partsOf)
      for (const [purpose, link] of links) {
        const { token, file } = partsOf(link)
        const others = all.filter((other) => other.token !== token)
        const address = purpose === 'captions' ? stage.processes.script.url : stage.processes.media.url
        const forgeries = forgeriesOf(
          token,
          others.map((other) => other.token),
          jwt,
        )
        await askAll(forgeries, (forgery) => refuse(address, forgery, file))
        // Players of HLS find the captions below its token.
        const foreign = others.filter((other) => purpose !== 'hls' || other.file !== 'captions.vtt')
        for (const other of foreign) for (const url of [stage.url, address]) await refuse(url, token, other.file)
        const opened = await get(stage.url, link)
        insist(opened.status === 200, `${purpose} itself ${opened.status}`)
        const asBearer = await get(stage.url, '/contents/api/case', [`authorization: Bearer ${token}`])
        insist(asBearer.status === 401, `the token of ${purpose} as bearer: ${asBearer.status}`)
      }
      return `answers ${tally(seen)}`
    }
  },
}

const expired: Attack = {
  name: 'expired-links',
  what: 'links after their end, also with what a client has in its cache',
  environments: { media: { LINK_SECONDS: '60' } },
  async prepare(stage) {
    const hostile = stage.therapist()
    const { session } = await sessionWithLinks(stage, hostile)
    return async () => {
      const links = [...(await linksOf(hostile, session)).values()]
      const before = await Promise.all(links.map((link) => get(stage.url, link)))
      await sleep(61_000)
      const after = await Promise.all(
        links.map((link, n) => get(stage.url, link, [`if-none-match: ${before[n]?.headers.get('etag')}`])),
      )
      const seen = `before ${tally(before.map(({ status }) => status))}, after ${tally(after.map(({ status }) => status))}`
      insist(before.every(({ status }) => status === 200) && after.every(({ status }) => status === 404), seen)
      return seen
    }
  },
}

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

/** Returns whether an answer is by the contract, or of the gateway itself about a request that is none. */
const isRefusal = ({ status }: Answer) => status === 0 || (status >= 400 && status < 500)

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

/** What is deleted, by which request. */
const deletions = {
  recording: (session: string) => `${session}/video`,
  session: (session: string) => session,
  case: (session: string) => session.replace(/\/session\/.*/, ''),
}

const deleted = (what: keyof typeof deletions): Attack => ({
  name: `links-deleted-${what}`,
  what: `links of a ${what} that is deleted while players use them`,
  async prepare(stage) {
    const hostile = stage.therapist()
    const { session, links } = await sessionWithLinks(stage, hostile)
    const hls = links.get('hls') ?? ''
    const files = ['upper.m3u8', 'lower.m3u8', 'sound.m3u8', 'captions.m3u8', 'captions.vtt', 'upper.mp4', 'sound.mp4']
    const all = [...links.values(), ...files.map((file) => hls.replace('master.m3u8', file))]
    const isLeft = (link: string) => what === 'recording' && link.endsWith('captions.vtt')
    return async () => {
      let deletedAt = Number.POSITIVE_INFINITY
      const late: string[] = []
      const during: number[] = []
      const use = async (link: string) => {
        const sentAt = performance.now()
        const etag = etags.get(link)
        const lines = [...(etag && Math.random() < 0.5 ? [`if-none-match: ${etag}`] : [])]
        const { status } = await get(stage.url, link, lines)
        if (sentAt < deletedAt) during.push(status)
        else if (status !== 404 && !(isLeft(link) && status < 400)) late.push(`${partsOf(link).file} ${status}`)
      }
      const etags = new Map<string, string>()
      for (const link of all) etags.set(link, (await get(stage.url, link)).headers.get('etag') ?? '')
      const users = range(24).map(async (n) => {
        for (const end = performance.now() + 4_000; performance.now() < end; await sleep(100))
          await use(all[n % all.length] ?? '')
      })
      await sleep(1_500)
      const answer = await hostile.send('DELETE', deletions[what](session))
      deletedAt = performance.now()
      await Promise.all(users)
      const seen = `DELETE ${answer.status}, before it ${tally(during)}, after it ${tally(late)}`
      insist(answer.status === 200 && late.length === 0, seen)
      insist(!during.some((status) => status >= 500 || status === 0), seen)
      return seen
    }
  },
})

const foreign: Attack = {
  name: 'foreign-links',
  what: "links of another therapist's session, by every path to it",
  async prepare(stage) {
    const [victim, hostile] = [stage.therapist(), stage.therapist()]
    const { session } = await sessionWithLinks(stage, victim)
    const own = await sessionWithLinks(stage, hostile)
    const [, ownCase = ''] = /^(.*)\/session/.exec(own.session) ?? []
    return async () => {
      const [foreignId = ''] = session.split('/').toReversed()
      const targets = [session, `${ownCase}/session/${foreignId}`, `${ownCase}/session/0${foreignId}`]
      const more = [
        `${own.session}/../${foreignId}`,
        `${own.session}%2f..%2f${foreignId}`,
        `${ownCase}/session/${foreignId}%20`,
      ]
      const seen: string[] = []
      for (const target of [...targets, ...more]) {
        for (const method of ['POST', 'GET', 'HEAD', 'PUT']) {
          const lines = [`authorization: ${hostile.authorization}`, 'content-length: 0', 'x-http-method-override: POST']
          for (const url of [stage.url, stage.processes.media.url]) {
            const answer = await get(url, `/contents/api${target}/playback`, lines, method)
            seen.push(`${answer.status}`)
            insist(isRefusal(answer), `${method} ${target}: ${answer.status} ${answer.body.subarray(0, 300)}`)
          }
        }
      }
      // Once the session belongs to somebody else, its links are nobody's.
      const links = await linksOf(victim, session)
      await stage.sql`update cases set user_id = ${hostile.userId} where user_id = ${victim.userId}`
      const moved = await Promise.all([...links.values()].map((link) => get(stage.url, link)))
      insist(
        moved.every(({ status }) => status === 404),
        `of a moved case ${tally(moved.map(({ status }) => status))}`,
      )
      return `answers ${tally(seen)}`
    }
  },
}

const leaks: Attack = {
  name: 'links-in-logs',
  what: 'tokens of links in every place of a request, some of which fail: no log and no answer repeats them',
  async prepare(stage) {
    const hostile = stage.therapist()
    const { session, links } = await sessionWithLinks(stage, hostile)
    return async () => {
      const bearer = `authorization: ${hostile.authorization}`
      const told: string[] = []
      for (const link of links.values()) {
        const { token, file } = partsOf(link)
        for (const url of addresses(stage)) {
          const answers = await Promise.all([
            get(url, link, [`referer: http://gateway${link}`, `user-agent: ${token}`, `cookie: ${token}`]),
            get(url, `${link}/x`),
            get(url, `${link}%zz`),
            get(url, `/contents/api/playback/${token}x/${file}`),
            get(url, link, [], 'DELETE'),
            get(url, link, [], 'OPTIONS'),
            get(url, link, ['range: bytes=999999999-']),
            get(url, link, ['if-match: "x"']),
            get(url, link, [`content-length: 3`, `content-type: ${token}`], 'POST'),
            get(url, `/contents/api/case/${token}/session/${token}/video`, [bearer]),
            get(url, `/contents/api/case?skip=${token}&limit=${token}`, [bearer]),
            get(url, `/contents/api${session}/script`, [bearer, `if-match: ${token}`, `accept: ${token}`]),
            get(url, '/contents/api/case', [`authorization: Bearer ${token}`]),
            get(url, '/contents/api/case', [`authorization: ${link}`, `host: ${token}`]),
            get(url, `/${token}`),
          ])
          for (const answer of answers) {
            told.push([...answer.headers].flat().join('\n'))
            if (answer.status >= 400) told.push(answer.body.toString('latin1'))
          }
        }
      }
      // Reads that break off and reads of a store that lost the object are logged.
      const hls = (links.get('hls') ?? '').replace('master.m3u8', 'upper.mp4')
      const own = stage.sql`select id from videos where session_id = ${Number(session.split('/').at(-1))}`
      await stage.sql`update rungs set etag = '"lost"' where video_id in (${own})`
      await stage.sql`update renditions set etag = '"lost"' where video_id in (${own})`
      for (const link of [hls, links.get('mp4') ?? '']) {
        const answer = await get(stage.url, link)
        insist(answer.status === 400, `a lost object ${answer.status}`)
        told.push([...answer.headers].flat().join('\n'), answer.body.toString('latin1'))
      }
      const logs = await Promise.all(Object.values(stage.processes).map((each) => each.log()))
      for (const link of links.values()) {
        const { token } = partsOf(link)
        const pieces = [token.slice(0, 24), token.slice(-24)]
        for (const text of [...logs, ...told]) {
          const piece = pieces.find((each) => text.includes(each))
          if (piece) throw new Broken(text.slice(Math.max(0, text.indexOf(piece) - 300), text.indexOf(piece) + 60))
        }
      }
      return `${told.length} answers and ${logs.join('').split('\n').length} lines`
    }
  },
}

/** Signed links that are forged, bent, or used where they should not be. */
export const linkAttacks: Attack[] = [
  forged,
  expired,
  paths('link-paths', {}),
  paths('link-paths-gateway', throughGateway),
  headers('link-headers', {}),
  headers('link-headers-gateway', throughGateway),
  deleted('recording'),
  deleted('session'),
  deleted('case'),
  foreign,
  leaks,
]
