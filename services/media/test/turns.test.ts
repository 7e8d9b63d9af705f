import t from 'tap'
import { createTurns } from '../src/playback/turns.ts'

/** Asks for a turn; `giveBack` is set once it was given. */
function asker(turns: ReturnType<typeof createTurns>, userId: number) {
  const asked = { giveBack: undefined as (() => void) | undefined }
  turns.take(userId).then(({ giveBack }) => {
    asked.giveBack = giveBack
  })
  return asked
}
const settle = () => new Promise(setImmediate)

t.test('one therapist waits at a quarter, others do not', async (t) => {
  const turns = createTurns(8)
  const mine = Array.from({ length: 5 }, () => asker(turns, 7))
  const other = asker(turns, 8)
  await settle()
  t.same(
    mine.map(({ giveBack }) => giveBack !== undefined),
    [true, true, false, false, false],
  )
  t.ok(other.giveBack)
  mine[1]?.giveBack?.()
  await settle()
  t.same(
    mine.map(({ giveBack }) => giveBack !== undefined),
    [true, true, true, false, false],
    'the longest waiting read is next',
  )
  other.giveBack?.()
  await settle()
  t.notOk(mine[3]?.giveBack, 'another’s turn does not help a therapist whose share is used up')
  for (const { giveBack } of mine) giveBack?.()
})

t.test('when all turns are in use, the next therapist with a free share gets one', async (t) => {
  const turns = createTurns(4)
  const holding = [1, 2, 3, 4].map((userId) => asker(turns, userId))
  const again = asker(turns, 1)
  const fifth = asker(turns, 5)
  await settle()
  t.notOk(again.giveBack ?? fifth.giveBack)
  holding[1]?.giveBack?.()
  await settle()
  t.ok(fifth.giveBack, 'the therapist who came first still has a turn')
  t.notOk(again.giveBack)
  holding[0]?.giveBack?.()
  await settle()
  t.ok(again.giveBack)
})

t.test('every waiting read gets a turn', async (t) => {
  const turns = createTurns(8)
  let under = 0
  let most = 0
  await Promise.all(
    Array.from({ length: 500 }, async (_, index) => {
      const { giveBack } = await turns.take(index % 3)
      under++
      most = Math.max(most, under)
      await settle()
      under--
      giveBack()
    }),
  )
  t.same([under, most], [0, 6])
})

t.test('the more reads a therapist has, the fewer bytes each may ask for', async (t) => {
  const turns = createTurns(8)
  const { bytes: alone } = await turns.take(7)
  const { bytes: second } = await turns.take(7)
  t.equal(second, alone / 2)
  for (let n = 0; n < 500; n++) asker(turns, 7)
  const { bytes: other } = await turns.take(8)
  t.equal(other, alone, 'another therapist may ask for as many as before')
  const third = createTurns(8)
  const held = await Promise.all(Array.from({ length: 2 }, () => third.take(7)))
  const waiting = Array.from({ length: 500 }, () => third.take(7))
  held[0]?.giveBack()
  t.equal((await waiting[0])?.bytes, 1024 ** 2, 'never fewer than a player needs')
})
