import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, Broken, insist, range, tally } from '../attack.ts'
import { type Answer, parse } from '../client.ts'
import { addresses, askAll, get, isRefusal, linksOf, partsOf, sessionWithLinks } from '../links.ts'

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const codeOf = (answer: Answer): unknown => Object(parse(answer)).error_code

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

/** Signed links that are forged, or used where or when they should open nothing. */
export const linkAttacks: Attack[] = [
  forged,
  expired,
  deleted('recording'),
  deleted('session'),
  deleted('case'),
  foreign,
  leaks,
]
