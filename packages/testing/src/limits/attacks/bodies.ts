import { type Attack, type Hold, hold, range, statuses } from '../attack.ts'
import type { Therapist } from '../client.ts'
import type { Stage } from '../place.ts'

type BodyAttack = Attack<Pick<Stage, 'therapist' | 'seconds'>>

const json = { 'content-type': 'application/json' }
const form = { 'content-type': 'multipart/form-data; boundary=x' }
const patch = { 'content-type': 'application/json-patch+json', 'if-match': '"1"' }
const formStart = Buffer.from('--x\r\nContent-Disposition: form-data; name="script"; filename="a.json"\r\n\r\n')
const declared = { 'content-length': 9_999 }

interface Sending {
  method: string
  /** A path relative to a session's, or a whole path that begins with `/case`. */
  path: string
  headers: Record<string, string | number>
  /** The bytes that are sent at once. */
  start?: Uint8Array[]
  count: number
}

/** Opens `count` requests and sends the first bytes of their bodies. */
function openAll(hostile: Therapist, session: string, { method, path, headers, start = [], count }: Sending) {
  return range(count).map(() => {
    const one = hostile.open(method, path.startsWith('/case') ? path : session + path, headers)
    for (const bytes of start) one.socket.write(bytes)
    return one
  })
}

/** Returns an attack of one therapist with bodies that never end. */
const unending = (name: string, what: string, sending: Sending, how: Hold = {}): BodyAttack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await hostile.newSession()
    return () => hold(openAll(hostile, session, sending), stage.seconds, how)
  },
})

const dripping = (text: string): NonNullable<Hold['drip']> => {
  return ({ socket }) => void socket.write(text)
}

const mebibyte = 1_048_576
const unfinished = {
  method: 'POST',
  path: '/case',
  headers: { ...json, 'content-length': mebibyte },
  start: [Buffer.alloc(mebibyte - 1, ' ')],
}

/** Returns a JSON object of `count` keys with the shortest possible names. */
const keys = (count: number) => `{${range(count).map((n) => `"${n.toString(36)}":0`)}}`

/** Returns an attack that saves `count` complete documents at once, each as the script of a new session. */
const documents = (name: string, what: string, text: () => string, count: number): BodyAttack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const sessions = await Promise.all(range(count).map(() => hostile.newSession()))
    const body = text()
    return async () =>
      statuses(await Promise.all(sessions.map((session) => hostile.sendFile(`${session}/script`, 'script', body))))
  },
})

/** Bodies that are slow, unfinished, or expensive to parse. A small body has to be complete after ten seconds. */
export const bodyAttacks: BodyAttack[] = [
  unending(
    'drip-json',
    '500 JSON bodies at a byte a second',
    { method: 'POST', path: '/case', headers: { ...json, ...declared }, count: 500 },
    { drip: dripping(' '), mostHeld: 0 },
  ),
  unending(
    'silent-json',
    '500 JSON bodies of which no byte is sent',
    { method: 'PUT', path: '', headers: { ...json, ...declared }, count: 500 },
    { mostHeld: 0 },
  ),
  unending(
    'drip-chunked',
    '500 JSON bodies in chunks of a byte a second, without a length',
    { method: 'POST', path: '/case', headers: { ...json, 'transfer-encoding': 'chunked' }, count: 500 },
    { drip: dripping('1\r\n \r\n'), mostHeld: 0 },
  ),
  unending(
    'drip-patches',
    '500 patches at a byte a second',
    { method: 'PATCH', path: '/script', headers: { ...patch, ...declared }, count: 500 },
    { drip: dripping(' '), mostHeld: 0 },
  ),
  unending(
    'drip-scripts',
    '500 scripts at a byte a second',
    { method: 'POST', path: '/script', headers: { ...form, ...declared }, start: [formStart], count: 500 },
    { drip: dripping(' ') },
  ),
  unending('unfinished-json', '350 JSON bodies of 1 MiB, each without its last byte', { ...unfinished, count: 350 }),
  unending('unfinished-scripts', '40 scripts of 19 MB, each without its end', {
    method: 'POST',
    path: '/script',
    headers: { ...form, 'content-length': 19_500_000 },
    start: [formStart, Buffer.alloc(19_000_000, 'a')],
    count: 40,
  }),
  {
    name: 'unfinished-crowd',
    what: '500 JSON bodies of 1 MiB, each without its last byte, from 50 therapists',
    crowd: true,
    async prepare(stage) {
      const hostile = range(50).map(() => stage.therapist())
      return () =>
        hold(
          hostile.flatMap((each) => openAll(each, '', { ...unfinished, count: 10 })),
          stage.seconds,
        )
    },
  },
  {
    name: 'keys-json',
    what: '80 JSON bodies of 100,000 keys, eight at once',
    async prepare(stage) {
      const hostile = stage.therapist()
      const body = `{"given_name":"a","description":${keys(100_000)}}`
      return async () => {
        const send = () => hostile.send('POST', '/case', { body, headers: json })
        const answers = []
        for (const _ of range(10)) answers.push(...(await Promise.all(range(8).map(send))))
        return statuses(answers)
      }
    },
  },
  documents('keys-script', 'a script of 950,000 keys', () => `{"scripts":[],"more":${keys(950_000)}}`, 1),
  documents('keys-scripts', 'four of them at once', () => `{"scripts":[],"more":${keys(950_000)}}`, 4),
  documents(
    'arrays-script',
    'a script of 490,000 empty arrays',
    () => `{"scripts":[],"more":[${'[],'.repeat(489_999)}[]]}`,
    1,
  ),
]
