import t from 'tap'
import { createWork } from '../src/work/pool.ts'

/** Bytes of a script for the ordinary thread, with this text. */
const script = (text: string) =>
  Buffer.from(JSON.stringify({ scripts: [{ speaker: 'T', text }], filling: ' '.repeat(100_000) }))
const read = (text: string) => ({ bytes: script(text), checksum: null, name: 'script.json' })

t.test('tasks of several therapists run at once, each with its own result', async (t) => {
  const work = createWork()
  t.teardown(work.close)
  const texts = Array.from({ length: 20 }, (_, n) => `text ${n}`)
  const files = await Promise.all(
    texts.map((text, n) => work.exportTo(n % 3, { script: read(text), format: 'txt' as const })),
  )
  t.same(
    files.map((file) => Buffer.from(file).toString()),
    texts.map((text) => `T: ${text}\n`),
  )
  const wrong = { ...read('x'), checksum: 'another' }
  await t.rejects(work.summarise(1, { script: wrong }), { status: 400, code: 1001 })
  const origin = { place: ['body'], videoLength: null }
  const faulty = Buffer.from(`{"scripts":[{}]${' '.repeat(100_000)}}`)
  t.match(await work.check(1, { ...origin, bytes: faulty }).catch((error) => error), {
    status: 422,
    detail: [{ loc: ['body', 'scripts', 0, 'speaker'] }, { loc: ['body', 'scripts', 0, 'text'] }],
  })
})

t.test('a task that exceeds its time is ended, and waiting tasks begin', async (t) => {
  // The time is too short even for the start of a thread.
  const work = createWork(1)
  t.teardown(work.close)
  const ended = Array.from({ length: 6 }, (_, n) =>
    work.summarise(n % 2, { script: read('x') }).catch((error) => error),
  )
  for (const error of await Promise.all(ended)) t.match(error, { status: 503, code: 10 })
})
