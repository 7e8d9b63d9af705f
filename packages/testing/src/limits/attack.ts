import { setTimeout as sleep } from 'node:timers/promises'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { type Answer, parse, type RawRequest, type Therapist } from './client.ts'
import type { Environments, Stage } from './place.ts'

/** One way in which a therapist with a valid token may harm others. `Needed` is the part of a stage that it uses. */
export interface Attack<Needed = Stage> {
  name: string
  /** What is tried, for the table. */
  what: string
  /** Settings beside those of the Compose file. */
  environments?: Environments
  /** Many therapists attack at once: then others may be refused, but no process may die. */
  crowd?: boolean
  /**
   * Prepares the attack and returns a function that runs it. That function returns what was observed, or throws Broken
   * when the attack succeeded. The innocent therapist is observed while it runs.
   */
  prepare(stage: Needed): Promise<() => Promise<string>>
}

/** The attack succeeded. */
export class Broken extends Error {}

/** Throws Broken with the text `seen` unless the condition holds. */
export function insist(condition: boolean, seen: string): void {
  if (!condition) throw new Broken(seen)
}

export const range = (count: number): number[] => Array.from({ length: count }, (_, n) => n)

/** Returns how often each value occurs: `200 × 3, 429 × 1`. */
export function tally(values: (number | string)[]): string {
  const counts = new Map<number | string, number>()
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1)
  return [...counts].map(([value, count]) => `${value} × ${count}`).join(', ')
}

/** Returns how often each status occurs; 0 means that no response arrived. */
export const statuses = (answers: Answer[]) => `answers ${tally(answers.map(({ status }) => status))}`

/** Repeats `work` for this many seconds, one call at a time. */
export async function repeatFor<T>(seconds: number, work: () => Promise<T>): Promise<T[]> {
  const results: T[] = []
  for (const end = Date.now() + seconds * 1000; Date.now() < end; ) results.push(await work())
  return results
}

/** Stops reading the response after its first bytes, which contain the status. */
export function readNoMore(one: RawRequest): RawRequest {
  one.socket.once('data', () => one.socket.pause())
  return one
}

export interface Hold {
  /** Called each second for each request that is still open. */
  drip?: (one: RawRequest) => void
  /** This many requests may still be open and not refused at the end; any number by default. */
  mostHeld?: number
}

/** Keeps requests open for this many seconds, then closes them. Throws Broken if more than `mostHeld` are open then. */
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

/** Returns the state of a session's newest recording; `none` without a recording or without a response. */
export async function videoState(
  therapist: Therapist,
  session: string,
): Promise<{ state: string; failure: string | null }> {
  const answer = await therapist.send('GET', `${session}/video/state`)
  return answer.status === 200 ? Value.Parse(VideoState, parse(answer)) : { state: 'none', failure: null }
}

/** Waits until the newest recording is encoded or failed, at most `seconds`. Returns its state and the time waited. */
export async function settled(therapist: Therapist, session: string, seconds: number) {
  for (const start = Date.now(); ; await sleep(500)) {
    const { state, failure } = await videoState(therapist, session)
    const waited = (Date.now() - start) / 1000
    if (state === 'encoded' || state === 'failed' || waited > seconds)
      return { state, failure, seconds: Math.round(waited) }
  }
}

/** Makes a session with this script and returns its path. Throws when the script was not stored. */
export async function sessionWithScript(therapist: Therapist, script: string): Promise<string> {
  const session = await therapist.newSession()
  const answer = await therapist.sendFile(`${session}/script`, 'script', script)
  if (answer.status !== 200) throw new Error(`the script was not stored: ${answer.status} ${answer.body}`)
  return session
}

/** Makes a session with this recording, waits for the encode, and returns the session's path. */
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
