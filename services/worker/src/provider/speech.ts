import { type Static, Type } from 'typebox'
import { readAnswer } from './answer.ts'
import { type Provider, post, unusable } from './provider.ts'

/** Seconds from the beginning of a piece of sound. A piece is much shorter than an hour; servers may exceed it a little. */
const Seconds = Type.Number({ maximum: 3_600 })

/** What was said between two times. */
const Segment = Type.Object({ start: Seconds, end: Seconds, text: Type.String({ maxLength: 100_000 }) })
export type Segment = Static<typeof Segment>

const Transcription = Type.Object({ segments: Type.Array(Segment, { maxItems: 20_000 }) })

/**
 * Has one piece of sound transcribed; seconds count from its beginning. After an answer that is no transcription with
 * segments it asks once more; a second such answer throws PermanentError. Otherwise it throws what `post` throws.
 */
export async function transcribe(transcriber: Provider, flac: Buffer, signal: AbortSignal): Promise<Segment[]> {
  for (let again = false; ; again = true) {
    const form = new FormData()
    form.set('file', new Blob([flac], { type: 'audio/flac' }), 'audio.flac')
    form.set('model', transcriber.model)
    form.set('response_format', 'verbose_json')
    form.set('timestamp_granularities[]', 'segment')
    const answer = readAnswer(await post(transcriber, '/audio/transcriptions', form, signal), Transcription)
    if ('value' in answer) return answer.value.segments
    if (again) throw unusable(transcriber)
  }
}
