/** What follows the empty first version that a worker makes where `STARTER_SCRIPT` is set. */
import { createHash } from 'node:crypto'
import { testStore } from '@playtherapy/testing'
import { saveVersion, scriptSteps } from '@playtherapy/versions'
import t, { type Test } from 'tap'
import { form, record, testScripts } from './support.ts'

const bytes = Buffer.from('{"scripts":[]}')
const written = JSON.stringify({ scripts: [record] })

async function prepare(t: Test) {
  const store = await testStore(t, 'file')
  const scripts = await testScripts(t, store)
  const start = async () => {
    const checksum = createHash('sha256').update(bytes).digest('hex')
    const script = {
      size: bytes.length,
      checksum,
      warnings: [],
      madeBy: 'starter' as const,
      mayFollow: (current: number) => current === 0,
    }
    await saveVersion(
      { db: scripts.db, store },
      bytes,
      scriptSteps(scripts.db, 'LOCAL', { ...scripts.place, userId: 7 }, script),
    )
  }
  const save = (headers: Record<string, string>) => scripts.ask('POST', '', { body: form(written), headers })
  return { ...scripts, start, save }
}

t.test('a first save follows it, whatever it demands of the one before', async (t) => {
  const demands: Record<string, string>[] = [{}, { 'if-none-match': '*' }, { 'if-match': '"1"' }, { 'if-match': '*' }]
  for (const headers of demands) {
    const { start, save, ask, get } = await prepare(t)
    await start()
    t.match(await get(), { status: 200, body: { scripts: [] } })
    const saved = await save(headers)
    t.equal(saved.status, 200, JSON.stringify(headers))
    t.equal(saved.headers.etag, '"2"')
    t.match((await ask('GET', '/versions')).body, [
      { version: 2, user_id: 7, made_by: 'therapist' },
      { version: 1, user_id: 7, made_by: 'starter' },
    ])
    t.equal((await save({ 'if-none-match': '*' })).status, 412, 'a second one does not')
  }
})

t.test('a save that began before it was made follows it', async (t) => {
  const { start, save, ask } = await prepare(t)
  const [first] = await Promise.all([save({ 'if-none-match': '*' }), start()])
  t.equal(first.status, 200)
  t.equal((await ask('GET', '')).text, written)
})

t.test('it can be patched, exported, summarised and searched', async (t) => {
  const { start, ask } = await prepare(t)
  await start()
  t.equal((await ask('GET', '.vtt')).text.trim(), 'WEBVTT')
  for (const path of ['.srt', '.csv', '.txt', '/summary', '/versions/1'])
    t.equal((await ask('GET', path)).status, 200, path)
  const headers = { 'content-type': 'application/json-patch+json', 'if-match': '"1"' }
  const body = JSON.stringify([{ op: 'add', path: '/scripts/-', value: record }])
  t.match(await ask('PATCH', '', { body, headers }), { status: 200, body: { version: 2 } })
})
