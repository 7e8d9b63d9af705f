import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, insist, range, repeatFor, sessionWithVideo, statuses, tally } from '../attack.ts'
import { type Answer, openRequest, request } from '../client.ts'
import { playable, segmentsOf } from '../links.ts'
import { type Environments, throughGateway } from '../place.ts'

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

/** Players of a recording that is encoded, or replaced, meanwhile. */
export const growingAttacks: Attack[] = [
  churn,
  growingRanges('growing-ranges', {}),
  growingRanges('growing-ranges-gateway', throughGateway),
  replaced,
]
