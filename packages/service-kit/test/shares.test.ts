import { createShares, errors } from '@playtherapy/service-kit'
import t from 'tap'

t.test('one therapist gets a quarter at most, and the others notice nothing', async (t) => {
  const shares = createShares(8)
  const first = shares.take(1)
  shares.take(1)
  t.throws(() => shares.take(1), { status: 429, code: 10, retryAfter: 5 })
  for (const other of [2, 3, 4]) t.doesNotThrow(() => shares.take(other, 2))
  t.throws(() => shares.take(5), { status: 503, code: 10, retryAfter: 5 }, 'all together hold no more than the bound')
  first()
  first()
  t.doesNotThrow(() => shares.take(5), 'what was given back is free again')
  t.throws(
    () => shares.take(1, 2),
    { status: 429, code: 10, retryAfter: 5 },
    'and counts once, however often it was given back',
  )
})

t.test('a bound smaller than four still has room for one of each therapist', async (t) => {
  const shares = createShares(3)
  t.doesNotThrow(() => shares.take(1))
  t.throws(() => shares.take(1), { status: 429, code: 10, retryAfter: 5 })
  t.doesNotThrow(() => shares.take(2))
})

t.test('a therapist who holds nothing may take one thing, however large it is', async (t) => {
  const shares = createShares(64)
  const whole = shares.take(1, 40)
  t.throws(() => shares.take(1), errors.tooManyRequests(5), 'and nothing beside it')
  t.throws(() => shares.take(2, 40), errors.unavailable(5), 'as long as there is room')
  whole()
  t.doesNotThrow(() => shares.take(2, 40))
})
