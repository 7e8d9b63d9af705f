import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, hold, range, readNoMore, repeatFor, sessionWithVideo, statuses } from '../attack.ts'
import { type Answer, openRequest, request, type Therapist } from '../client.ts'
import { linksOf, playable, segmentsOf } from '../links.ts'
import { type Environments, type Stage, throughGateway } from '../place.ts'

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

/** Too many or too slow players of HLS. */
export const playerAttacks: Attack[] = [
  ...floods,
  unread('segments', 1_500, {}),
  unread('segments-gateway', 1_500, throughGateway),
]
