import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Attack, hold, insist, range, readNoMore, sessionWithVideo, tally } from '../attack.ts'
import { type Answer, openRequest, parse, request, type Therapist } from '../client.ts'
import { askAll, get, isRefusal, partsOf } from '../links.ts'
import { type Environments, type Stage, throughGateway } from '../place.ts'

const CaseExport = Type.Object({ state_id: Type.Integer(), size: Type.Union([Type.Integer(), Type.Null()]) })
const Link = Type.Object({ path: Type.String() })

const mostSeconds = 120
const begin = (therapist: Therapist, casePath: string) => therapist.sendJson('POST', `${casePath}/export`, {})

/** The path of a link to a finished export. */
async function linkOf(therapist: Therapist, casePath: string): Promise<string> {
  const answer = await therapist.send('POST', `${casePath}/export/link`)
  insist(answer.status === 200, `there is no link: ${answer.status} ${answer.body}`)
  return Value.Parse(Link, parse(answer)).path
}

/** Exports a case, waits for the file, and returns it with its link. Throws Broken when that takes too long. */
async function exported(stage: Pick<Stage, 'url'>, therapist: Therapist, casePath: string) {
  const started = Date.now()
  const seconds = () => Math.round((Date.now() - started) / 1000)
  const begun = await begin(therapist, casePath)
  insist(begun.status === 200, `the export was not begun: ${begun.status} ${begun.body}`)
  for (; ; await sleep(500)) {
    const answer = await therapist.send('GET', `${casePath}/export`)
    insist(answer.status === 200, `the export is not shown: ${answer.status}`)
    const { state_id, size } = Value.Parse(CaseExport, parse(answer))
    insist(state_id !== 4 && seconds() < mostSeconds, `the export is in state ${state_id} after ${seconds()} s`)
    if (state_id !== 3) continue
    const link = await linkOf(therapist, casePath)
    const file = await request(stage.url + link)
    insist(file.status === 200 && file.body.length === size, `the file: ${file.status}, ${file.body.length} bytes`)
    return { link, bytes: file.body, seconds: seconds() }
  }
}

/** A case with a recording, of a new therapist. */
async function recorded(stage: Stage, clip: 'small.mp4' | 'big.mp4') {
  const therapist = stage.therapist()
  const session = await sessionWithVideo(therapist, await stage.clips.get(clip))
  return { therapist, casePath: session.slice(0, session.indexOf('/session')) }
}

/** Exports the case of a bystander again and again until the work has ended. Returns what took longest. */
async function beside(
  stage: Stage,
  { therapist, casePath }: Awaited<ReturnType<typeof recorded>>,
  work: Promise<string>,
) {
  let isOver = false
  const ended = work.finally(() => {
    isOver = true
  })
  const times: number[] = []
  const exporting = (async () => {
    do times.push((await exported(stage, therapist, casePath)).seconds)
    while (!isOver)
  })()
  const [seen] = await Promise.all([ended, exporting])
  return `${seen}; ${times.length} exports of another therapist, at most ${Math.max(...times)} s`
}

const begins: Attack = {
  name: 'export-begins',
  what: 'one therapist begins exports of 200 cases as fast as possible, and deletes and makes cases meanwhile',
  async prepare(stage) {
    const bystander = await recorded(stage, 'small.mp4')
    const hostile = stage.therapist()
    const rows = await stage.sql<{ id: number }[]>`
      with made as (
        insert into cases (user_id, given_name) select ${hostile.userId}, '지우' from generate_series(1, 200) returning id
      ), named as (insert into sessions (case_id, name) select id, n from made, generate_series(1, 20) n)
      select id from made`
    const cases = rows.map(({ id }) => `/case/${id}`)
    const storm = async () => {
      const begun: number[] = []
      const deleted: number[] = []
      for (const end = Date.now() + stage.seconds * 2_000; cases.length > 0 && Date.now() < end; ) {
        await askAll(cases, async (casePath) => void begun.push((await begin(hostile, casePath)).status))
        const old = cases.splice(0, 20)
        await askAll(old, async (casePath) => void deleted.push((await hostile.send('DELETE', casePath)).status))
        // Too many requests a minute are refused, here too.
        const made = await Promise.allSettled(old.map(() => hostile.newCase()))
        cases.push(...made.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : [])))
      }
      const seen = `begun ${tally(begun)}; deleted ${tally(deleted)}`
      insist(
        begun.every((status) => [200, 409, 429].includes(status)),
        seen,
      )
      insist(
        deleted.every((status) => [200, 429].includes(status)),
        seen,
      )
      return seen
    }
    return () => beside(stage, bystander, storm())
  },
}

const readers = (name: string, what: string, environments: Environments): Attack => ({
  name,
  what,
  environments,
  async prepare(stage) {
    const bystander = await recorded(stage, 'small.mp4')
    const { therapist, casePath } = await recorded(stage, 'big.mp4')
    const { link, bytes } = await exported(stage, therapist, casePath)
    const read = () =>
      hold(
        range(200).map(() => readNoMore(openRequest('GET', stage.url + link, {}))),
        stage.seconds * 2,
        { drip: ({ socket }) => void socket.read(1) },
      )
    return async () => `${Math.round(bytes.length / 1024 ** 2)} MiB; ${await beside(stage, bystander, read())}`
  },
})

/** Ranges that ask for much, for nothing, or are none. */
const oddRanges = [
  ...[
    '0-0',
    '-1',
    '-0',
    '0-',
    '5-1',
    '--5',
    '-5-10',
    'a-b',
    '',
    '-',
    '1e3-',
    '0x1-',
    ' 0 - 0',
    '0-0;1-1',
    '0-0x',
    '18-18446744073709551615',
  ],
  ...[`0-${'9'.repeat(20)}`, `-${'9'.repeat(20)}`, `${'9'.repeat(20)}-`, `${'9'.repeat(300)}-${'9'.repeat(300)}`],
  ...[
    Array(1_000).fill('0-0').join(','),
    Array(1_000).fill('0-').join(','),
    range(1_000)
      .map((n) => `${n}-${n}`)
      .join(','),
  ],
  ...[
    '0-,-1',
    '0-0,99999999999-',
    ','.repeat(1_000),
    '٠-٩',
    '9007199254740993-',
    '-9007199254740993',
    'NaN-NaN',
    '0-0,',
  ],
].map((range) => `range: bytes=${range}`)
const oddUnits = [
  'range: bytes',
  'range: BYTES=0-0',
  'range: items=0-1',
  'range: =0-0',
  'range: bytes=0-0\r\nrange: bytes=1-1',
]

/** Compares an answer with the file; returns its status. Throws Broken if it shows other bytes. */
function check({ status, headers, body }: Answer, file: Buffer, what: string): number {
  const seen = `${what.slice(0, 80)}: ${status} ${headers.get('content-range')}, ${body.length} bytes`
  insist([200, 206, 400, 416, 429].includes(status), seen)
  if (status === 200) insist(body.equals(file), seen)
  if (status === 206) {
    const [, start, end, size] = /^bytes (\d+)-(\d+)\/(\d+)$/.exec(headers.get('content-range') ?? '') ?? []
    insist(Number(size) === file.length && body.equals(file.subarray(Number(start), Number(end) + 1)), seen)
  }
  return status
}

/** Links that are no links: altered, with another target or end, or for another file. */
function forgedLinks(link: string): string[] {
  const { token, file } = partsOf(link)
  const [payload = '', signature = ''] = token.split('.')
  const parts = Buffer.from(payload, 'base64url').toString().split(':')
  const changed = parts.flatMap((part, at) =>
    ['1', `${Number(part) + 1}`, 'mp4', '99999999999', '']
      .filter((other) => other !== part)
      .map((other) => parts.with(at, other).join(':')),
  )
  const at = '/contents/api/playback'
  return [
    ...changed.map((text) => `${at}/${Buffer.from(text).toString('base64url')}.${signature}/${file}`),
    ...range(token.length).map(
      (n) => `${at}/${token.slice(0, n)}${token[n] === 'A' ? 'B' : 'A'}${token.slice(n + 1)}/${file}`,
    ),
    ...['video.mp4', 'master.m3u8', 'upper.mp4', 'captions.vtt', 'poster.jpg', 'export', 'export.zip/', 'x'].map(
      (other) => `${at}/${token}/${other}`,
    ),
    ...[
      `${at}/${payload}/${file}`,
      `${at}/.${signature}/${file}`,
      `${at}/${payload}../${file}`,
      `${at}/${token}${token}/${file}`,
    ],
  ]
}

const links: Attack = {
  name: 'export-links',
  what: 'odd ranges and 3,000 small ones of an export, forged and expired links, and cases of others',
  environments: { contents: { LINK_SECONDS: '60' } },
  async prepare(stage) {
    const bystander = await recorded(stage, 'small.mp4')
    const { therapist, casePath } = await recorded(stage, 'small.mp4')
    const { bytes } = await exported(stage, therapist, casePath)
    const hostile = stage.therapist()
    const attempt = async () => {
      const expiring = await linkOf(therapist, casePath)
      const madeAt = Date.now()
      const odd: number[] = []
      await askAll([...oddRanges, ...oddUnits], async (line) => {
        odd.push(check(await get(stage.url, expiring, [line]), bytes, line))
      })
      const small: number[] = []
      for (const turn of range(10)) {
        const address = stage.url + (await linkOf(therapist, casePath))
        await askAll(range(300), async (n) => {
          const start = (turn * 300 + n) % bytes.length
          const headers = { range: `bytes=${start}-${start + (n % 9)}` }
          small.push(check(await request(address, { headers }), bytes, headers.range))
        })
      }
      const forged: number[] = []
      await askAll(forgedLinks(await linkOf(therapist, casePath)), async (link) => {
        const answer = await get(stage.url, link)
        forged.push(answer.status)
        // The last letter of a signature has bits that say nothing.
        insist(isRefusal(answer), `${link}: ${answer.status}`)
      })
      const others: Answer[] = []
      for (const one of [
        casePath,
        bystander.casePath,
        '/case/0',
        '/case/2147483647',
        '/case/-1',
        `/case/${'9'.repeat(99)}`,
      ]) {
        others.push(await begin(hostile, one), await hostile.send('GET', `${one}/export`))
        others.push(await hostile.send('POST', `${one}/export/link`))
      }
      const seen = `odd ranges ${tally(odd)}; small ones ${tally(small)}; forged ${tally(forged)}; cases of others ${tally(others.map(({ status }) => status))}`
      insist(others.every(isRefusal), seen)
      await sleep(Math.max(0, madeAt + 61_000 - Date.now()))
      const expired = await get(stage.url, expiring)
      insist(expired.status === 404, `an expired link: ${expired.status}`)
      const removed = await linkOf(therapist, casePath)
      await therapist.send('DELETE', casePath)
      const ended = await get(stage.url, removed)
      insist(ended.status === 404, `the link of a deleted case: ${ended.status}`)
      return seen
    }
    return () => beside(stage, bystander, attempt())
  },
}

/** Exports that are begun, read and guessed by the hundred, while another therapist's have to end. */
export const exportAttacks: Attack[] = [
  begins,
  readers('export-readers', '200 readers of one link who read a byte a second of an export with a recording', {}),
  readers('export-readers-gateway', 'the same where the gateway reads from the store', throughGateway),
  links,
]
