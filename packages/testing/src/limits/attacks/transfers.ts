import { Type } from 'typebox'
import { Value } from 'typebox/value'
import {
  type Attack,
  type Hold,
  hold,
  range,
  readNoMore,
  sessionWithScript,
  sessionWithVideo,
  statuses,
} from '../attack.ts'
import { openRequest, parse } from '../client.ts'
import { type Stage, throughGateway } from '../place.ts'

const form = 'multipart/form-data; boundary=x'
const formStart = '--x\r\nContent-Disposition: form-data; name="file"; filename="a.mp4"\r\n\r\n'
const hugeBytes = 1_000_000_000

/** Prepares 600 players that request one whole recording and read nothing. */
async function unreadPlayers(stage: Stage) {
  const hostile = stage.therapist()
  const session = await sessionWithVideo(hostile, await stage.clips.get('big.mp4'))
  return () =>
    hold(
      range(600).map(() => readNoMore(hostile.open('GET', `${session}/video`))),
      stage.seconds,
    )
}

/** Returns an attack of one therapist whose uploads send a byte every five seconds. */
const slowUploads = (
  name: string,
  what: string,
  { count, seconds, mostHeld }: { count: number; seconds?: number; mostHeld?: number },
): Attack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    return () => {
      const open = range(count).map(() => {
        const one = hostile.open('POST', `${session}/video`, { 'content-type': form, 'content-length': hugeBytes })
        one.socket.write(formStart)
        return one
      })
      let calls = 0
      const drip: Hold['drip'] = ({ socket }) => {
        if (calls++ % (5 * count) < count) socket.write('x')
      }
      return hold(open, seconds ?? stage.seconds, { drip, mostHeld: mostHeld ?? count })
    }
  },
})

/** Uploads and downloads that stay open and hardly move bytes. */
export const transferAttacks: Attack[] = [
  slowUploads('slow-uploads', '96 uploads at a byte in 5 s', { count: 96 }),
  slowUploads('slow-upload-floor', 'three such uploads for 100 s', { count: 3, seconds: 100, mostHeld: 0 }),
  {
    name: 'slow-upload-crowd',
    what: 'the same after a first MiB of a recording, from 16 therapists, 4 uploads each',
    crowd: true,
    async prepare(stage) {
      const head = (await stage.clips.get('big.mp4')).subarray(0, 1_048_576)
      const hostile = range(16).map(() => stage.therapist())
      const sessions = await Promise.all(hostile.map(async (each) => ({ each, session: await each.newSession() })))
      return async () => {
        const open = sessions.flatMap(({ each, session }) =>
          range(4).map(() => {
            const headers = { 'content-type': form, 'content-length': hugeBytes }
            const one = each.open('POST', `${session}/video`, headers)
            one.socket.write(formStart)
            one.socket.write(head)
            return one
          }),
        )
        return hold(open, stage.seconds, { drip: ({ socket }) => void socket.write('x') })
      }
    },
  },
  {
    name: 'drip-presigned',
    what: '300 PUTs to one presigned URL at a byte a second',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await hostile.newSession()
      const answer = await hostile.send('GET', `${session}/video/presigned-url`)
      const { presigned_url } = Value.Parse(Type.Object({ presigned_url: Type.String() }), parse(answer))
      return async () => {
        const open = range(300).map(() => {
          const headers = { 'content-type': 'video/mp4', 'content-length': hugeBytes }
          const one = openRequest('PUT', presigned_url, headers)
          return one
        })
        return hold(open, stage.seconds, { drip: ({ socket }) => void socket.write('x') })
      }
    },
  },
  {
    name: 'players',
    what: '600 players that do not read',
    prepare: unreadPlayers,
  },
  {
    name: 'players-gateway',
    what: 'the same where the gateway reads from the store (PLAYBACK_ACCEL_PREFIX)',
    environments: throughGateway,
    prepare: unreadPlayers,
  },
  {
    name: 'players-crowd',
    what: 'the same from eight therapists, 256 players each',
    environments: throughGateway,
    crowd: true,
    async prepare(stage) {
      const big = await stage.clips.get('big.mp4')
      const hostile = range(8).map(() => stage.therapist())
      const sessions: string[] = []
      for (const each of hostile) sessions.push(await sessionWithVideo(each, big))
      return () =>
        hold(
          hostile.flatMap((each, n) => range(256).map(() => readNoMore(each.open('GET', `${sessions[n]}/video`)))),
          stage.seconds,
        )
    },
  },
  {
    name: 'player-churn',
    what: '1,000 players that disconnect after 50 ms, 50 at a time',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await sessionWithVideo(hostile, await stage.clips.get('big.mp4'))
      return async () => {
        for (const _ of range(20)) {
          const open = range(50).map(() => hostile.open('GET', `${session}/video`))
          await new Promise((resolve) => setTimeout(resolve, 50))
          for (const { socket } of open) socket.destroy()
        }
        return statuses([await hostile.send('GET', `${session}/video`, { headers: { range: 'bytes=0-9' } })])
      }
    },
  },
  {
    name: 'unread-scripts',
    what: '300 reads of a script of 17 MB that the client never reads',
    async prepare(stage) {
      const hostile = stage.therapist()
      const session = await sessionWithScript(hostile, JSON.stringify({ scripts: [], more: 'a'.repeat(17_000_000) }))
      return () =>
        hold(
          range(300).map(() => readNoMore(hostile.open('GET', `${session}/script`))),
          stage.seconds,
        )
    },
  },
]
