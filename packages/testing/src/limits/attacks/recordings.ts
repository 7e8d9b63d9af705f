import { type Attack, insist, range, settled, videoState } from '../attack.ts'
import type { ClipName } from '../clips.ts'

/** A small recording has to be encoded or refused in this time. */
const mostSeconds = 60

/**
 * Returns an attack that uploads small recordings one after the other, each of which has to be encoded or refused soon.
 * Each recording is a list of files, which are concatenated.
 */
const uploading = (name: string, what: string, clips: ClipName[][]): Attack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const made = clips.map((parts) => Promise.all(parts.map((clip) => stage.clips.get(clip))))
    const files = (await Promise.all(made)).map((parts) => new Uint8Array(Buffer.concat(parts)))
    return async () => {
      const seen: string[] = []
      for (const [index, file] of files.entries()) {
        const session = await hostile.newSession()
        const { status } = await hostile.sendFile(`${session}/video`, 'file', file)
        const result =
          status === 201 ? await settled(hostile, session, mostSeconds) : { state: `${status}`, seconds: 0 }
        seen.push(
          `${clips[index]?.join(' + ')} (${Math.ceil(file.length / 1024)} KiB) ${result.state} after ${result.seconds} s`,
        )
        insist(result.seconds < mostSeconds, seen.join('; '))
      }
      return seen.join('; ')
    }
  },
})

/** Recordings that are expensive to encode and cheap to send. */
export const recordingAttacks: Attack[] = [
  uploading('endless', 'a recording of 60 frames a second and 28 hours between them', [['endless.mkv']]),
  uploading('endless-others', 'the same in MP4, and with sound', [['endless.mp4'], ['endless-sound.mkv']]),
  uploading('long', 'recordings of 13 and 601 hours in a few frames', [['long-13-hours.mkv'], ['long-601-hours.mkv']]),
  uploading('huge-frames', 'a picture of 16,000 × 16,000 pixels, and one beside a small picture', [
    ['png-16k.mkv'],
    ['png-16k.mov'],
    ['png-16k-second.mkv'],
  ]),
  uploading('8k', 'a picture of 8,192 × 4,320 pixels', [
    ['hevc-8k.mkv'],
    ['hevc-8k.mp4'],
    ['vp9-8k.webm'],
    ['av1-8k.mkv'],
  ]),
  uploading('8k-later', 'a picture of 320 × 240 pixels that grows to 8,192 × 4,320', [['little.ts', 'large.ts']]),
  uploading('many-streams', 'a recording with 500 sounds, and one with 1.5 MB of tags', [
    ['streams-500.mkv'],
    ['tags.mkv'],
  ]),
  {
    name: 'fair-encodes',
    what: '100 recordings of one therapist, then one of another',
    async prepare(stage) {
      const [hostile, other] = [stage.therapist(), stage.therapist()]
      const casePath = await hostile.newCase()
      const sessions: string[] = []
      for (const _ of range(100)) sessions.push(await hostile.newSession(casePath))
      const session = await other.newSession()
      const clip = await stage.clips.get('short.mkv')
      return async () => {
        for (const each of sessions) await hostile.sendFile(`${each}/video`, 'file', clip)
        const before = await Promise.all(sessions.map((each) => videoState(hostile, each)))
        await other.sendFile(`${session}/video`, 'file', clip)
        const { state, seconds } = await settled(other, session, mostSeconds)
        const after = await Promise.all(sessions.map((each) => videoState(hostile, each)))
        const done = (states: typeof after) => states.filter((each) => each.state === 'encoded').length
        const ahead = done(after) - done(before)
        const seen = `${state} after ${seconds} s, ${ahead} of the hundred before it`
        insist(state === 'encoded' && ahead <= 5, seen)
        return seen
      }
    },
  },
]
