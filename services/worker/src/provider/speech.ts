import { type Static, Type } from 'typebox'
import { readAnswer } from './answer.ts'
import { type Provider, post, unusable } from './provider.ts'

/** Seconds from the beginning of a piece, which is much shorter than an hour. */
const Seconds = Type.Number({ maximum: 3_600 })

const Segment = Type.Object({ start: Seconds, end: Seconds, text: Type.String({ maxLength: 100_000 }) })
export type Segment = Static<typeof Segment>

const Transcription = Type.Object({ segments: Type.Array(Segment, { maxItems: 20_000 }) })

/**
 * Transcribes one piece of sound; seconds count from its beginning. After an answer without segments it asks again. Throws
 * PermanentError for a second such answer, and what `post` throws.
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
