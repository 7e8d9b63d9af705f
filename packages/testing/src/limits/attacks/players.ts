import { setTimeout as sleep } from 'node:timers/promises'
import {
  type Attack,
  hold,
  insist,
  range,
  readNoMore,
  record,
  repeatFor,
  sessionWithScript,
  sessionWithVideo,
  statuses,
  tally,
} from '../attack.ts'
import { type Answer, openRequest, request, type Therapist } from '../client.ts'
import { linksOf, segmentsOf } from '../links.ts'
import type { Environments, Stage } from '../place.ts'

const throughGateway: Environments = { media: { PLAYBACK_ACCEL_PREFIX: '/objects/' } }

/** The address of a file beside the main playlist; undefined as long as there is no playlist. */
async function hlsOf(stage: Pick<Stage, 'url'>, therapist: Therapist, session: string) {
  const main = (await linksOf(therapist, session)).get('hls')
  return main && ((file: string) => stage.url + main.replace('master.m3u8', file))
}

/** Waits until the recording of a session can be played by HLS. */
async function playable(stage: Pick<Stage, 'url'>, therapist: Therapist, session: string) {
  for (let left = 360; left > 0; left--, await sleep(500)) {
    const address = await hlsOf(stage, therapist, session)
    if (address) return address
  }
  throw new Error('the recording cannot be played')
}

/** Makes a finished recording whose list of segments is as long as that of twelve hours. */
async function longRecording(stage: Stage, therapist: Therapist) {
  const session = await sessionWithVideo(therapist, await stage.clips.get('small.mp4'))
  const address = await playable(stage, therapist, session)
  const [id] = session.split('/').toReversed()
  // A part has its segments as pairs of seconds and bytes; this one claims 10,800 of four seconds.
  await stage.sql`update rungs set parts = jsonb_build_array(jsonb_set(parts->0, '{segments}',
      (select jsonb_agg(jsonb_build_array(4, 1 + n % 2)) from generate_series(1, 10800) n)))
    where video_id in (select id from videos where session_id = ${Number(id)})`
  return { session, address }
}

const floods: Attack[] = [
  {
    name: 'playlists',
    what: 'one therapist reads the playlists of twelve hours, 32 at a time',
    async prepare(stage) {
      const hostile = stage.therapist()
      const { address } = await longRecording(stage, hostile)
      const files = ['master.m3u8', 'upper.m3u8', 'lower.m3u8', 'sound.m3u8']
      return async () => {
        const ask = (n: number) => request(address(files[n % files.length] ?? ''))
        return statuses((await repeatFor(stage.seconds, () => Promise.all(range(32).map(ask)))).flat())
      }
    },
  },
  {
    name: 'playlists-many',
    what: 'the same of 100 recordings in turn, more than a process keeps',
    async prepare(stage) {
      const hostile = stage.therapist()
      const { session } = await longRecording(stage, hostile)
      const [id] = session.split('/').toReversed()
      // Copies of the rows of one recording, which share its objects.
      const addresses: ((file: string) => string)[] = []
      for (const _ of range(100)) {
        const copy = await hostile.newSession()
        const [copyId] = copy.split('/').toReversed()
        await stage.sql`with original as (select * from videos where session_id = ${Number(id)}),
          copied as (
            insert into videos select (jsonb_populate_record(null::videos, to_jsonb(original)
              || jsonb_build_object('id', nextval(pg_get_serial_sequence('videos', 'id')), 'session_id', ${Number(copyId)}::int,
                'path', original.path || ${copyId ?? ''}::text))).* from original returning id
          ),
          planned as (
            insert into encode_plans select (jsonb_populate_record(null::encode_plans, to_jsonb(p)
              || jsonb_build_object('video_id', (select id from copied)))).* from encode_plans p
              where video_id = (select id from original)
          ),
          made as (
            insert into rungs select (jsonb_populate_record(null::rungs, to_jsonb(r)
              || jsonb_build_object('video_id', (select id from copied), 'path', r.path || ${copyId ?? ''}::text))).* from rungs r
              where video_id = (select id from original)
          )
          update sessions set video_id = (select id from copied) where id = ${Number(copyId)}`
        addresses.push(await playable(stage, hostile, copy))
      }
      return async () => {
        let turn = 0
        const ask = () => request(addresses[turn++ % addresses.length]?.('upper.m3u8') ?? '')
        return statuses((await repeatFor(stage.seconds, () => Promise.all(range(32).map(ask)))).flat())
      }
    },
  },
  {
    name: 'links',
    what: '64 POST S/playback at a time of one therapist',
    async prepare(stage) {
      const hostile = stage.therapist()
      const { session } = await longRecording(stage, hostile)
      return async () => {
        const ask = () => hostile.send('POST', `${session}/playback`)
        return statuses((await repeatFor(stage.seconds, () => Promise.all(range(64).map(ask)))).flat())
      }
    },
  },
  {
    name: 'link-tokens',
    what: '3,000 requests at once by 60 links of one recording, each of which has a rate of its own at the gateway',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await sessionWithVideo(hostile, await stage.clips.get('small.mp4'))
      const addresses: ((file: string) => string)[] = []
      for (const _ of range(12)) {
        for (const link of (await linksOf(hostile, session)).values()) addresses.push(() => stage.url + link)
        await sleep(1_000)
      }
      return async () => {
        const ask = () => Promise.all(range(3_000).map((n) => request(addresses[n % addresses.length]?.('') ?? '')))
        return statuses((await repeatFor(stage.seconds, ask)).flat())
      }
    },
  },
  {
    name: 'link-guesses',
    what: '100,000 tokens of nobody, each another one, 256 at a time',
    async prepare(stage) {
      return async () => {
        const token = () =>
          `${'a'.repeat(60)}.${range(43)
            .map(() => 'abcdefghij'[Math.floor(Math.random() * 10)])
            .join('')}`
        const seen: Answer[] = []
        const guess = async () => {
          for (let left = 400; left > 0; left--) {
            seen.push(await request(`${stage.url}/contents/api/playback/${token()}/video.mp4`))
          }
        }
        const end = sleep(stage.seconds * 2_000)
        await Promise.race([end, Promise.all(range(256).map(guess))])
        return statuses(seen)
      }
    },
  },
]

/** Returns an attack of players that open segments and read nothing. */
const unread = (name: string, count: number, environments: Environments): Attack => ({
  name,
  what: `${count} requests for segments of one therapist, whose players read nothing`,
  environments,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await sessionWithVideo(hostile, await stage.clips.get('big.mp4'))
    const address = await playable(stage, hostile, session)
    const segments = segmentsOf((await request(address('upper.m3u8'))).body.toString())
    return () =>
      hold(
        range(count).map((n) => {
          const { start, end } = segments[n % segments.length] ?? { start: 0, end: 0 }
          return readNoMore(openRequest('GET', address('upper.mp4'), { range: `bytes=${start}-${n % 2 ? end : ''}` }))
        }),
        stage.seconds,
      )
  },
})

const churn: Attack = {
  name: 'segment-churn',
  what: '1,000 players of a rung that grows, who disconnect at once; after that each place is free again',
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    await hostile.sendFile(`${session}/video`, 'file', await stage.clips.get('growing.mkv'))
    const address = await playable(stage, hostile, session)
    return async () => {
      for (const turn of range(20)) {
        const open = range(50).map(() => openRequest('GET', address('upper.mp4'), {}))
        await sleep(turn * 4)
        for (const { socket } of open) socket.destroy()
      }
      await sleep(2_000)
      const answers = await Promise.all(range(60).map(() => request(address('upper.mp4'))))
      insist(
        answers.every(({ status }) => status === 200),
        statuses(answers),
      )
      return statuses(answers)
    }
  },
}

/** The largest script whose records all overlap, of which captions make the most. */
const overlapping = (count: number) =>
  JSON.stringify({
    scripts: range(count).map((n) => ({
      ...record('오늘은 무엇을 하고 싶니? '.repeat(4), n),
      start_time: new Date(n * 100).toISOString().slice(11, 23),
      end_time: new Date(n * 100 + 5_000).toISOString().slice(11, 23),
    })),
  })

/** Returns an attack of players that ask for the captions of a script at once, and again. */
const captioned = (name: string, what: string, script: () => string): Attack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await sessionWithScript(hostile, script())
    const link = (await linksOf(hostile, session)).get('captions') ?? ''
    return async () => {
      const ask = () => Promise.all(range(50).map(() => request(stage.url + link)))
      const answers = (await repeatFor(stage.seconds, ask)).flat()
      const found = answers.find(({ status }) => status === 200)
      // Captions that would be larger than any file of ours are 413.
      insist(
        answers.every(({ status }) => [200, 413, 429].includes(status)),
        statuses(answers),
      )
      return `${statuses(answers)}, ${Math.round((found?.body.length ?? 0) / 1024)} KiB`
    }
  },
})

const captions: Attack[] = [
  captioned('captions-largest', '50 players at once ask for the captions of the largest script', () => {
    const text = 'ab '.repeat(36)
    return JSON.stringify({
      scripts: range(100_000).map((n) => ({
        ...record(text, n),
        start_time: new Date(n * 1_000).toISOString().slice(11, 19),
        end_time: new Date(n * 1_000 + 900).toISOString().slice(11, 23),
      })),
    })
  }),
  captioned('captions-overlapping', 'the same where 50 of 80,000 records overlap at any time', () =>
    overlapping(80_000),
  ),
  captioned('captions-markup', 'the same of 19 MB of `<`', () =>
    JSON.stringify({ scripts: [{ ...record('<'.repeat(19_000_000)), start_time: '00:00:01', end_time: '00:00:09' }] }),
  ),
  {
    name: 'captions-unread',
    what: 'the captions of a script of 2 MB, of which 300 players read nothing',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await sessionWithScript(hostile, overlapping(10_000))
      const link = (await linksOf(hostile, session)).get('captions') ?? ''
      return () =>
        hold(
          range(300).map(() => readNoMore(openRequest('GET', stage.url + link, {}))),
          stage.seconds,
        )
    },
  },
  {
    name: 'captions-crowd',
    what: 'the captions of the largest script of each of 16 therapists, by ten players at once',
    crowd: true,
    async prepare(stage) {
      const script = overlapping(80_000)
      const links: string[] = []
      for (const _ of range(16)) {
        const hostile = stage.therapist()
        links.push((await linksOf(hostile, await sessionWithScript(hostile, script))).get('captions') ?? '')
      }
      return async () => {
        const ask = () => Promise.all(range(160).map((n) => request(stage.url + links[n % links.length])))
        return statuses((await repeatFor(stage.seconds, ask)).flat())
      }
    },
  },
]

/** What is known of a rung that grows: its first bytes never change. */
function growing() {
  let known = Buffer.alloc(0)
  return {
    size: () => known.length,
    /** Throws Broken if an answer says something else about these bytes than an earlier one. */
    check(answer: Answer, what: string) {
      if (answer.status !== 200 && answer.status !== 206) return
      const [, from = '0', , size = `${answer.body.length}`] =
        /^bytes (\d+)-(\d+)\/(\d+)$/.exec(answer.headers.get('content-range') ?? '') ?? []
      const start = Number(from)
      const shared = known.subarray(start, start + answer.body.length)
      insist(answer.body.subarray(0, shared.length).equals(shared), `${what}: bytes from ${start} have changed`)
      const length = Number(answer.headers.get('content-length') ?? answer.body.length)
      insist(answer.body.length === length, `${what}: ${answer.body.length} of ${length} bytes`)
      if (start <= known.length && start + answer.body.length > known.length) {
        known = Buffer.concat([known.subarray(0, start), answer.body])
      }
      insist(Number(size) >= start + answer.body.length, `${what}: a size of ${size}`)
    },
  }
}

const growingRanges = (name: string, environments: Environments): Attack => ({
  name,
  what: 'ranges and conditions over the borders of chunks while a recording is encoded',
  environments,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    const clip = await stage.clips.get('growing.mkv')
    return async () => {
      await hostile.sendFile(`${session}/video`, 'file', clip)
      const sentAt = Date.now()
      const address = await playable(stage, hostile, session)
      const playableSeconds = Math.round((Date.now() - sentAt) / 1000)
      const rungs = ['upper', 'lower'].map((name) => ({ name, bytes: growing(), etags: [''] }))
      const seen: number[] = []
      const somewhere = (size: number) => Math.floor(Math.random() * (size + 1_000))
      const work = async (rung: (typeof rungs)[number]) => {
        const { bytes, etags } = rung
        const [a, b] = [somewhere(bytes.size()), somewhere(bytes.size())].sort((x, y) => x - y)
        const etag = etags[Math.floor(Math.random() * etags.length)] ?? ''
        const choices: Record<string, string>[] = [
          {},
          { range: `bytes=${a}-${b}` },
          { range: `bytes=${a}-` },
          { range: `bytes=-${b}` },
          { range: `bytes=${a}-${b}`, 'if-range': etag },
          { range: `bytes=${a}-${b}`, 'if-match': etag },
          { 'if-none-match': etag },
          { range: `bytes=${a}-999999999999999` },
          { range: `bytes=0-${a},${b}-` },
        ]
        const headers = choices[Math.floor(Math.random() * choices.length)] ?? {}
        const answer = await request(address(`${rung.name}.mp4`), { headers })
        seen.push(answer.status)
        const found = answer.headers.get('etag')
        if (found && !etags.includes(found)) etags.push(found)
        const what = `${rung.name} with ${JSON.stringify(headers)}: ${answer.status} ${answer.headers.get('content-range')}`
        // The lower rung may come later than the upper one.
        const fine = [200, 206, 304, 412, 416, 429, ...(rung.name === 'lower' ? [404] : [])]
        insist(fine.includes(answer.status), `${what} ${answer.status > 299 ? answer.body : ''}`)
        bytes.check(answer, what)
      }
      const listed = async () => {
        for (const { name, bytes } of rungs) {
          const playlist = await request(address(`${name}.m3u8`))
          const last = segmentsOf(playlist.body.toString()).at(-1)
          if (!last) continue
          const answer = await request(address(`${name}.mp4`), {
            headers: { range: `bytes=${last.start}-${last.end}` },
          })
          insist(answer.status === 206 || answer.status === 429, `the last segment of ${name} ${answer.status}`)
          bytes.check(answer, `the last segment of ${name}`)
        }
      }
      for (const end = Date.now() + stage.seconds * 2_000; Date.now() < end; await sleep(300)) {
        await Promise.all([...rungs.flatMap((rung) => [work(rung), work(rung)]), listed()])
      }
      return `playable after ${playableSeconds} s, ${tally(seen)}, ${rungs.map(({ name, bytes, etags }) => `${name} ${bytes.size()} bytes, ${etags.length - 1} versions`).join(', ')}`
    }
  },
})

const replaced: Attack = {
  name: 'replaced-while-played',
  what: 'a recording that is replaced twice while players read its playlists and segments',
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await sessionWithVideo(hostile, await stage.clips.get('short.mkv'))
    const address = await playable(stage, hostile, session)
    const clip = await stage.clips.get('small.mp4')
    return async () => {
      const first = new Map<string, Answer>()
      const seen: string[] = []
      const gone = new Set<string>()
      const use = async (file: string) => {
        const answer = await request(address(file))
        seen.push(`${file} ${answer.status}`)
        const before = first.get(file)
        if (answer.status === 404 && before) gone.add(file)
        insist([200, 404, 429].includes(answer.status), `${file} ${answer.status} ${answer.body}`)
        if (answer.status !== 200) return
        insist(!gone.has(file), `${file} came back`)
        if (before) insist(before.body.equals(answer.body), `${file} has changed`)
        first.set(file, answer)
      }
      // The other playlists grow while the lower rung is made.
      const files = ['upper.m3u8', 'upper.mp4', 'sound.m3u8']
      const players = files.map((file) =>
        repeatFor(stage.seconds, async () => {
          await use(file)
          await sleep(100)
        }),
      )
      const replace = async () => {
        for (const _ of range(2)) {
          await sleep(2_000)
          const answer = await hostile.sendFile(`${session}/video`, 'file', clip)
          insist(answer.status === 201, `the upload ${answer.status}`)
          await sleep(3_000)
        }
      }
      await Promise.all([replace(), ...players])
      return tally(seen)
    }
  },
}

/** Players of HLS and captions: too many, too slow, or at the wrong moment. */
export const playerAttacks: Attack[] = [
  ...floods,
  unread('segments', 1_500, {}),
  unread('segments-gateway', 1_500, throughGateway),
  churn,
  ...captions,
  growingRanges('growing-ranges', {}),
  growingRanges('growing-ranges-gateway', throughGateway),
  replaced,
]
