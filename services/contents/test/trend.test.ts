import t from 'tap'
import Value from 'typebox/value'
import { reportTrend, type SessionReport, Trend } from '../src/reports/trend.ts'

const session = (session_id: number, day: string, levels: Record<string, number> | null): SessionReport => ({
  session_id,
  name: `session ${session_id}`,
  createdAt: new Date(`${day}T09:00:00Z`),
  created_date: day,
  levels: levels && Object.entries(levels),
})

t.test('levels are sorted by date and null where a session has none', async (t) => {
  const trend = reportTrend([
    session(9, '2026-03-09', { Questioning: 0, 'Emotion Reflection': 4, constructor: 1 }),
    session(12, '2026-03-01', { 'Emotion Reflection': 2, Questioning: -1 }),
    session(11, '2026-03-09', { 'Emotion Reflection': 3 }),
    session(10, '2026-03-05', null),
  ])
  t.same(trend, {
    sessions: [
      { session_id: 12, name: 'session 12', created_date: '2026-03-01' },
      { session_id: 9, name: 'session 9', created_date: '2026-03-09' },
      { session_id: 11, name: 'session 11', created_date: '2026-03-09' },
    ],
    categories: [
      { category: 'Emotion Reflection', levels: [2, 4, 3] },
      { category: 'Questioning', levels: [null, 0, null] },
      { category: 'constructor', levels: [null, 1, null] },
    ],
  })
  t.ok(Value.Check(Trend, trend))
})

t.test('a case without reports has no trend', async (t) => {
  t.same(reportTrend([]), { sessions: [], categories: [] })
  t.same(reportTrend([session(1, '2026-03-01', null)]), { sessions: [], categories: [] })
})
