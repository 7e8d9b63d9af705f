import { Type } from 'typebox'

const count = (description: string) => Type.Integer({ minimum: 0, description })
const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(type: T) => Type.Union([type, Type.Null()])
const share = (description: string) => orNull(Type.Number({ minimum: 0, maximum: 1, description }))
const milliseconds = (description: string) => orNull(Type.Integer({ minimum: 0, description }))

const Speaker = Type.Object(
  {
    speaker: Type.String({ description: 'As the script first names them' }),
    role: Type.Union([Type.Literal('therapist'), Type.Literal('child'), Type.Literal('other')], {
      description: 'By the first letter: T, C, or any other',
    }),
    utterances: count('Records with words'),
    words: count('Runs without whitespace that hold a letter or a digit; in Korean, eojeol'),
    mean_length: Type.Number({ minimum: 0, description: 'Words of an utterance, on average' }),
    questions: count('Utterances with a question mark'),
    turns: count('Runs of utterances that no other speaker interrupts'),
    talk_ms: count('Milliseconds of the utterances whose times are known'),
    time_share: share('Part of all talk_ms; null where no time is known'),
    word_share: share('Part of all words'),
    responses: Type.Object({
      count: count('Turns that began in the silence after another speaker'),
      mean_ms: milliseconds('How long that silence was, on average'),
      median_ms: milliseconds('Half of these silences were no longer'),
      overlaps: count('Turns that began while another speaker talked'),
    }),
  },
  { title: 'SpeakerSummary' },
)

export const Summary = Type.Object(
  {
    utterances: count('Records with words'),
    words: count('Of all speakers'),
    turns: count('Of all speakers'),
    speakers: Type.Array(Speaker, { description: 'In the order of their first utterance' }),
    silences: Type.Object({
      count: count('Between an utterance and the next, of three seconds or longer'),
      total_ms: count('Of these together'),
      longest_ms: milliseconds('The longest of them'),
    }),
  },
  {
    title: 'ScriptSummary',
    examples: [
      {
        utterances: 2,
        words: 6,
        turns: 2,
        speakers: [
          {
            speaker: 'T',
            role: 'therapist',
            utterances: 1,
            words: 4,
            mean_length: 4,
            questions: 1,
            turns: 1,
            talk_ms: 3000,
            time_share: 0.75,
            word_share: 0.6667,
            responses: { count: 0, mean_ms: null, median_ms: null, overlaps: 0 },
          },
          {
            speaker: 'C',
            role: 'child',
            utterances: 1,
            words: 2,
            mean_length: 2,
            questions: 0,
            turns: 1,
            talk_ms: 1000,
            time_share: 0.25,
            word_share: 0.3333,
            responses: { count: 1, mean_ms: 3500, median_ms: 3500, overlaps: 0 },
          },
        ],
        silences: { count: 1, total_ms: 3500, longest_ms: 3500 },
      },
    ],
  },
)
