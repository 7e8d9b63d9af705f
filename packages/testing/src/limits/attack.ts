import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Answer, parse, type RawRequest, type Therapist } from './client.ts'
import type { Environments, Stage } from './place.ts'

/** One way in which a therapist with a valid token may harm others; it needs so much of a stage. */
export interface Attack<Needed = Stage> {
  name: string
  /** What is tried, for the table. */
  what: string
  /** Settings beside those of the Compose file. */
  environments?: Environments
  /** Many therapists at once may take all that there is: others may be refused then, but nothing may die. */
  crowd?: boolean
  /**
   * Prepares the attack. Returns the attack itself, which returns what was seen and throws Broken when it reached what
   * it was after. The innocent therapist is watched from its start to its end.
   */
  prepare(stage: Needed): Promise<() => Promise<string>>
}

/** An attack reached what it was after. */
export class Broken extends Error {}

/** Throws Broken with these words unless the condition holds. */
export function insist(condition: boolean, seen: string): void {
  if (!condition) throw new Broken(seen)
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** Counts values: `200 × 3, 429 × 1`. */
export function tally(values: (number | string)[]): string {
  const counts = new Map<number | string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].map(([value, count]) => `${value} × ${count}`).join(', ')
}

/** Statuses of answers; 0 stands for none. */
export const statuses = (answers: Answer[]) => `answers ${tally(answers.map(({ status }) => status))}`

/** Runs `work` again and again for so many seconds, one at a time. */
export async function repeatFor<T>(seconds: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) results.push(await work())
  return results
}

/** Reads the first bytes of the answer, which tell its status, and no more. */
export function readNoMore(one: RawRequest): RawRequest {
  one.socket.once('data', () => one.socket.pause())
  return one
}

export interface Hold {
  /** Called each second for each request that is still open. */
  drip?: (one: RawRequest) => void
  /** Requests that may still be open in the end, and not refused; any number by default. */
  mostHeld?: number
}

/** Holds open requests for so many seconds, then ends them. Returns what was seen; throws Broken when too many lasted. */
export async function hold(
  requests: RawRequest[],
  seconds: number,
  { drip, mostHeld = requests.length }: Hold = {},
): Promise<string> {
  for (let second = 0; second < seconds; second++) {
    for (const one of requests) if (drip && one.isOpen() && one.socket.writable) drip(one)
    await sleep(1_000)
  }
  const held = requests.filter((one) => one.isOpen() && one.status() < 300).length
  const answers = requests.map((one) => one.status()).filter((status) => status > 0)
  for (const { socket } of requests) socket.destroy()
  const seen = `${held} of ${requests.length} held after ${seconds} s${answers.length > 0 ? `, answers ${tally(answers)}` : ''}`
  insist(held <= mostHeld, seen)
  return seen
}

const VideoState = Type.Object({ state: Type.String(), failure: Type.Union([Type.String(), Type.Null()]) })

/** How far a session's newest recording is: `none` when there is none or nobody answers. */
export async function videoState(
  therapist: Therapist,
  session: string,
): Promise<{ state: string; failure: string | null }> {
  const answer = await therapist.send('GET', `${session}/video/state`)
  return answer.status === 200 ? Value.Parse(VideoState, parse(answer)) : { state: 'none', failure: null }
}

/** Waits until the newest recording is encoded or failed, so many seconds at most. Returns its state and the seconds. */
export async function settled(therapist: Therapist, session: string, seconds: number) {
  for (const start = Date.now(); ; await sleep(500)) {
    const { state, failure } = await videoState(therapist, session)
    const waited = (Date.now() - start) / 1000
    if (state === 'encoded' || state === 'failed' || waited > seconds)
      return { state, failure, seconds: Math.round(waited) }
  }
}

/** A new session with this script, which must be stored. */
export async function sessionWithScript(therapist: Therapist, script: string): Promise<string> {
  const session = await therapist.newSession()
  const answer = await therapist.sendFile(`${session}/script`, 'script', script)
  if (answer.status !== 200) throw new Error(`the script was not stored: ${answer.status} ${answer.body}`)
  return session
}

/** A new session with this recording, encoded. */
export async function sessionWithVideo(therapist: Therapist, bytes: Uint8Array): Promise<string> {
  const session = await therapist.newSession()
  const answer = await therapist.sendFile(`${session}/video`, 'file', bytes)
  if (answer.status !== 201) throw new Error(`the recording was not stored: ${answer.status} ${answer.body}`)
  const { state } = await settled(therapist, session, 120)
  if (state !== 'encoded') throw new Error(`the recording is ${state}`)
  return session
}

export const record = (text: string, n = 0) => ({
  speaker: n % 2 === 0 ? 'T' : 'C',
  text,
  start_time: '00:00:01',
  end_time: '00:00:02',
})
export const scriptOf = (texts: string[]) => JSON.stringify({ scripts: texts.map(record) })
