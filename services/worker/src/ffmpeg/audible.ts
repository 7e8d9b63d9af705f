import type { Container } from '@playtherapy/schema'
import { Type } from 'typebox'
import type { Input } from './bounded.ts'
import { type AudioStream, accessTo, ask, type ProbeSettings, parseAnswer, UnreadableError } from './probe.ts'

/** Packets that are decoded from the beginning on: ten seconds of one track of AAC. */
const packets = 500

const Output = Type.Object({
  frames: Type.Optional(
    Type.Array(Type.Object({ stream_index: Type.Integer(), best_effort_timestamp_time: Type.Optional(Type.String()) })),
  ),
})

/** A sound track that can be decoded. */
export interface AudibleStream extends AudioStream {
  /** Second of its first sound, on the clock of the file. */
  from: number
}

/**
 * Returns the first of these tracks that yields sound, by decoding their beginnings: a phone records tracks of a codec that
 * ffmpeg does not know, other tracks are damaged or empty. Undefined if there is none.
 */
export async function findAudible(
  input: Input,
  container: Container,
  tracks: AudioStream[],
  settings: ProbeSettings,
): Promise<AudibleStream | undefined> {
  if (tracks.length === 0) return undefined
  const entries = ['-select_streams', 'a', '-show_entries', 'frame=stream_index,best_effort_timestamp_time']
  const args = [...'-v quiet -of json -threads 1'.split(' '), ...entries, '-read_intervals', `%+#${packets}`]
  const answer = await ask([...args, ...accessTo(input, container)], settings, input).catch((error: unknown) => {
    // The picture is converted without a sound that makes the decoder crash.
    if (error instanceof UnreadableError) return '{}'
    throw error
  })
  const { frames = [] } = await parseAnswer(Output, answer)
  for (const track of tracks) {
    const first = frames.find(({ stream_index }) => stream_index === track.index)
    if (first) return { ...track, from: Number(first.best_effort_timestamp_time) || 0 }
  }
  return undefined
}
