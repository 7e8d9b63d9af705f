import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, hold, insist, range, repeatFor, statuses, tally } from '../attack.ts'
import type { Answer, Therapist } from '../client.ts'
import {
  begin,
  create,
  head,
  hugeBytes,
  lengthOf,
  mebibyte,
  offsetIn,
  openPatch,
  patch,
  patchHeaders,
  recording,
  version,
} from '../tus.ts'

/** Sends this many requests, `atOnce` of them at once. */
async function flood(count: number, atOnce: number, send: (n: number) => Promise<Answer>): Promise<Answer[]> {
  const answers: Answer[] = []
  let next = 0
  await Promise.all(
    range(atOnce).map(async () => {
      while (next < count) answers.push(await send(next++))
    }),
  )
  return answers
}

/** Throws Broken if an answer is a failure of ours, or did not come. */
function insistOurs(answers: Answer[]): string {
  const seen = statuses(answers)
  insist(
    answers.every(({ status }) => status > 0 && status < 500),
    seen,
  )
  return seen
}

const crowd: Attack = {
  name: 'tus-crowd',
  what: '64 resumable uploads from 16 therapists, 16 MiB each and then a byte a second',
  crowd: true,
  async prepare(stage) {
    const hostile = range(16).map(() => stage.therapist())
    const uploads = await Promise.all(
      hostile.flatMap((each) => range(4).map(async () => ({ each, upload: await begin(each, hugeBytes) }))),
    )
    const bytes = recording(16 * mebibyte)
    return () =>
      hold(
        uploads.map(({ each, upload }) => openPatch(each, upload, bytes)),
        stage.seconds,
        { drip: ({ socket }) => void socket.write('x') },
      )
  },
}

const slow: Attack = {
  name: 'tus-slow-patches',
  what: 'eight PATCHes of one therapist at a byte a second, for 100 s',
  async prepare(stage) {
    const hostile = stage.therapist()
    const uploads = await Promise.all(range(8).map(() => begin(hostile, hugeBytes)))
    return async () => {
      const open = uploads.map((upload) => openPatch(hostile, upload, recording(100)))
      const seen = await hold(open, 100, { drip: ({ socket }) => void socket.write('x'), mostHeld: 0 })
      const answers = await Promise.all(uploads.map((upload) => head(hostile, upload)))
      insist(
        answers.every((answer) => answer.status === 200 && offsetIn(answer) >= 100),
        `${seen}; then ${statuses(answers)}`,
      )
      return `${seen}; kept ${tally(answers.map(offsetIn))}`
    }
  },
}

const bytewise: Attack = {
  name: 'tus-bytewise',
  what: 'PATCHes of one byte to eight uploads, each with a tail of nearly a whole part',
  async prepare(stage) {
    const hostile = stage.therapist()
    const sent = 5 * mebibyte - 10_000
    const uploads = await Promise.all(range(8).map(() => begin(hostile, hugeBytes)))
    const first = Uint8Array.from(recording(sent))
    for (const upload of uploads) await patch(hostile, upload, 0, first)
    return async () => {
      const answers = await Promise.all(
        uploads.map(async (upload) => {
          let offset = sent
          const all = await repeatFor(stage.seconds, async () => {
            const answer = await patch(hostile, upload, offset, Uint8Array.of(0))
            if (answer.status === 204) offset++
            else await sleep(100)
            return answer
          })
          return all
        }),
      )
      return insistOurs(answers.flat())
    }
  },
}

const pair = (n: number) => `key${n} ${'YWFh'.repeat(8)}`
const metadatas = [
  `filename ${'YWFh'.repeat(250)}`,
  `filename ${'YWFh'.repeat(1_900)}`,
  range(150).map(pair).join(','),
  `filename ${'YWFh'.repeat(3_900)}`,
  `filename ${'YWFh'.repeat(100_000)}`,
  `${range(3_000)
    .map((n) => `k${n}`)
    .join(',')}`,
  `filename ${'*'.repeat(7_000)}`,
  ','.repeat(7_000),
]

const metadata: Attack = {
  name: 'tus-metadata',
  what: 'huge and broken Upload-Metadata, 400 times',
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    return async () => {
      const send = (n: number) =>
        create(hostile, session, {
          ...lengthOf(hugeBytes),
          'upload-metadata': metadatas[n % metadatas.length] ?? '',
        })
      return insistOurs(await flood(400, 20, send))
    }
  },
}

const creations: Attack = {
  name: 'tus-creations',
  what: '5,000 creations by 20 therapists, 100 at once, and 500 uploads that are begun and cancelled',
  async prepare(stage) {
    const hostile = range(20).map(() => stage.therapist())
    const sessions = await Promise.all(hostile.map((each) => each.newSession()))
    const other = stage.therapist()
    return async () => {
      const ofOne = (each: Therapist, n: number) =>
        flood(250, 5, () => create(each, sessions[n] ?? '', lengthOf(hugeBytes)))
      const answers = (await Promise.all(hostile.map(ofOne))).flat()
      const made = answers.filter(({ status }) => status === 201).length
      insist(made === 160, `${made} creations: ${statuses(answers)}`)
      const cancelled = await flood(500, 4, async () => {
        const upload = await begin(other, hugeBytes)
        return other.send('DELETE', upload, { headers: version })
      })
      return `${insistOurs(answers)}; cancelled ${insistOurs(cancelled)}`
    }
  },
}

const heads: Attack = {
  name: 'tus-heads',
  what: '2,000 HEADs, 100 at once, of an upload that receives a byte every 200 ms',
  async prepare(stage) {
    const hostile = stage.therapist()
    const upload = await begin(hostile, hugeBytes)
    return async () => {
      const one = openPatch(hostile, upload, recording(100))
      const timer = setInterval(() => one.socket.write('x'), 200)
      const answers = await flood(2_000, 100, () => head(hostile, upload))
      clearInterval(timer)
      one.socket.destroy()
      return insistOurs(answers)
    }
  },
}

const lengths: Attack = {
  name: 'tus-lengths',
  what: 'creations with absurd lengths',
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    const absurd = [
      ...['-1', '0', '00', '+5', '1.5', '1e9', '0x10', '٣', 'NaN', 'Infinity', 'null', '5, 5', '5;5', '5 5'],
      ...['9007199254740991', '9007199254740992', '18446744073709551616', '9'.repeat(4_000), '1'.padEnd(7_000, '0')],
    ]
    return async () => {
      const send = async (text: string) => create(hostile, session, { 'upload-length': encodeURI(text) })
      const answers = await Promise.all([
        ...absurd.map(send),
        ...['0', '2', 'true', '1, 1'].map((text) => create(hostile, session, { 'upload-defer-length': text })),
        create(hostile, session, { ...lengthOf(5), 'upload-defer-length': '1' }),
      ])
      insist(
        answers.every(({ status }) => status === 400 || status === 413),
        statuses(answers),
      )
      return statuses(answers)
    }
  },
}

/** Opens a PATCH whose body is longer than the upload, and writes up to 200 MiB of it. Returns the status. */
async function sendOverlong(hostile: Therapist, upload: string, isChunked: boolean): Promise<number> {
  const length = isChunked ? { 'transfer-encoding': 'chunked' } : { 'content-length': hugeBytes }
  const one = hostile.open('PATCH', upload, { ...patchHeaders(0), ...length })
  const piece = recording(mebibyte)
  const frame = isChunked ? Buffer.concat([Buffer.from('100000\r\n'), piece, Buffer.from('\r\n')]) : piece
  for (let sent = 0; sent < 200 && one.isOpen(); sent++) {
    await Promise.race([new Promise((written) => one.socket.write(frame, written)), sleep(1_000)])
  }
  one.socket.destroy()
  return one.status()
}

const bodies: Attack = {
  name: 'tus-overlong',
  what: 'PATCHes with bodies of up to 200 MiB to uploads of 1.5 MiB, with and without a Content-Length, 16 times',
  async prepare(stage) {
    const hostile = stage.therapist()
    const uploads = await Promise.all(range(8).map(() => begin(hostile, 1.5 * mebibyte)))
    return async () => {
      const seen: number[] = []
      for (const isChunked of [false, true]) {
        seen.push(...(await Promise.all(uploads.map((upload) => sendOverlong(hostile, upload, isChunked)))))
      }
      const answers = await Promise.all(uploads.map((upload) => head(hostile, upload)))
      const text = `answers ${tally(seen)}, then ${statuses(answers)} at ${tally(answers.map(offsetIn))}`
      insist(
        seen.every((status) => status === 413) && answers.every((answer) => offsetIn(answer) < 1.5 * mebibyte),
        text,
      )
      return text
    }
  },
}

/** Resumable uploads that are many, slow, tiny or not what they say. */
export const tusAttacks: Attack[] = [crowd, slow, bytewise, metadata, creations, heads, lengths, bodies]
