import { Type } from 'typebox'

/** The most bytes of a report; real ones have some hundred thousand. */
export const reportBytes = 5 * 1024 ** 2

const Report = Type.Object(
  {
    category: Type.String({ maxLength: 200 }),
    descriptions: Type.String({ maxLength: 20_000 }),
    interactions: Type.Array(
      Type.Object({}, { minProperties: 2, additionalProperties: true, description: 'The client shows the first two' }),
      { maxItems: 10_000 },
    ),
    level: Type.Integer({ minimum: -1, maximum: 4, description: '0 to 4; -1 for failed' }),
  },
  { title: 'CategoryReport' },
)

/** What the analysis system delivers and the client draws; other keys are stored, too. */
export const ReportBody = Type.Object(
  { reports: Type.Record(Type.String({ maxLength: 200 }), Report, { maxProperties: 100 }) },
  {
    title: 'AnalysisReport',
    examples: [
      {
        reports: {
          'Emotion Reflection': {
            category: 'Emotion Reflection',
            descriptions: 'The therapist named the feeling in most of the moments that called for it.',
            interactions: [{ C1: '무서워요.', T1: 'You are scared.', TF: 'T', Description: 'Feeling named at once.' }],
            level: 4,
          },
        },
      },
    ],
  },
)
