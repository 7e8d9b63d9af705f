import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { createDue } from '../src/events/due.ts'

t.test('a clock that is set back delays no news', async (t) => {
  const due = createDue()
  const change = { userId: 1, caseId: 1, sessionId: 1, first: 1, last: 1 }
  const rightNow = Date.now
  t.teardown(() => {
    Date.now = rightNow
  })
  Date.now = () => rightNow() + 600_000
  due.add(change)
  t.equal(due.take().size, 1)
  Date.now = rightNow
  due.add({ ...change, first: 2, last: 2 })
  t.equal(due.take().size, 0, 'it was told just now')
  await sleep(600)
  t.equal(due.take().size, 1)
})
