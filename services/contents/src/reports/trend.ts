import { int32 } from '@playtherapy/service-kit'
import { type Static, Type } from 'typebox'
import type { Levels } from './levels.ts'

/** A session with the levels of its newest report. */
export interface SessionReport {
  session_id: number
  name: string
  /** When the session was created; sessions are sorted by it, then by id. */
  createdAt: Date
  /** The same as a day (YYYY-MM-DD), as the session shows it. */
  created_date: string
  /** Null while the session has no report. */
  levels: Levels | null
}

export const Trend = Type.Object(
  {
    sessions: Type.Array(
      Type.Object({
        session_id: Type.Integer(int32),
        name: Type.String(),
        created_date: Type.String({ format: 'date' }),
      }),
      { description: 'Those that have a report, oldest first' },
    ),
    categories: Type.Array(
      Type.Object({
        category: Type.String(),
        levels: Type.Array(Type.Union([Type.Integer({ minimum: 0, maximum: 4 }), Type.Null()]), {
          description:
            'One for each session, in the same order; null where the category was not scored or the scoring failed',
        }),
      }),
      { description: 'In the order in which they first appear' },
    ),
  },
  {
    title: 'ReportTrend',
    examples: [
      {
        sessions: [
          { session_id: 7, name: 'first', created_date: '2026-03-02' },
          { session_id: 9, name: 'second', created_date: '2026-03-09' },
        ],
        categories: [
          { category: 'Emotion Reflection', levels: [2, 4] },
          { category: 'Questioning', levels: [null, 1] },
        ],
      },
    ],
  },
)

/** A trend shows at most this many categories; real reports have fourteen. Each has a level for every session. */
export const mostCategories = 200

/** Returns a function that gets one report after the other, and drops the levels of categories beyond the first 200. */
export function keepCategories(): (levels: Levels) => Levels {
  // A thousand reports have a thousand copies of each name; only the first copy stays in memory.
  const names = new Map<string, string>()
  return (levels) =>
    levels.flatMap(([category, level]): Levels => {
      if (!names.has(category) && names.size < mostCategories) names.set(category, category)
      const name = names.get(category)
      return name === undefined ? [] : [[name, level]]
    })
}

/**
 * Returns the level of each category over the sessions of a case, oldest session first; every list of levels is as long
 * as the list of sessions. Sessions without a report are left out. A category that a report lacks, or whose scoring
 * failed (-1 on the wire), is null there and not a low level.
 */
export function reportTrend(all: SessionReport[]): Static<typeof Trend> {
  const scored = all
    .flatMap((session) => (session.levels ? [{ ...session, levels: new Map(session.levels) }] : []))
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || a.session_id - b.session_id)
  const names = new Set(scored.flatMap(({ levels }) => [...levels.keys()]))
  const level = (value: number | undefined) => (value === undefined || value < 0 ? null : value)
  return {
    sessions: scored.map(({ session_id, name, created_date }) => ({ session_id, name, created_date })),
    categories: [...names].map((category) => ({
      category,
      levels: scored.map(({ levels }) => level(levels.get(category))),
    })),
  }
}
