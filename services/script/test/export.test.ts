import { sessions } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import { parse } from 'csv-parse/sync'
import { eq } from 'drizzle-orm'
import readXlsx from 'read-excel-file/node'
import t from 'tap'
import { form, saved, testScripts } from './support.ts'

const types = {
  json: 'application/json; charset=utf-8',
  vtt: 'text/vtt; charset=utf-8',
  srt: 'application/x-subrip; charset=utf-8',
  txt: 'text/plain; charset=utf-8',
  csv: 'text/csv; charset=utf-8; header=present',
  xlsx: 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
}
const suffixes = Object.keys(types)
const records = [
  { start_time: '00:00:01.250', end_time: '00:00:02.500', speaker: 'T', text: '안녕, 지우야' },
  { start_time: '00:00:03.001', end_time: '00:00:04', speaker: 'C', text: '네 & <좋아요>' },
]
const script = JSON.stringify({ scripts: records })

/** The content of a file: a workbook contains the time of its creation, so its bytes differ between responses. */
const said = async ({ bytes, text }: { bytes: Buffer; text: string }, suffix: string) =>
  suffix === 'xlsx' ? await readXlsx(bytes) : text

for (const backend of storeBackends)
  t.test(`a script is exported to every format, in ${backend}`, async (t) => {
    const { db, ask, place, post } = await testScripts(t, await testStore(t, backend))
    await db
      .update(sessions)
      .set({ name: '첫 만남: 3/4 "놀이"'.normalize('NFD') })
      .where(eq(sessions.id, place.sessionId))
    for (const suffix of suffixes) t.match(await ask('GET', `.${suffix}`), { status: 400, body: { error_code: 6 } })
    t.same(await post(form('{"scripts":[]}')), saved)
    t.same(await post(form(script)), saved)

    for (const [suffix, type] of Object.entries(types)) {
      const file = await ask('GET', `.${suffix}`)
      t.match(file, { status: 200, headers: { 'content-type': type } }, suffix)
      const { status, headers, bytes } = await ask('HEAD', `.${suffix}`)
      t.match(headers, { 'content-type': type, etag: file.headers.etag })
      t.match({ status, length: bytes.length }, { status: 200, length: 0 }, `HEAD of ${suffix}`)
      const named = `attachment;.*filename\\*=UTF-8''${encodeURIComponent(`첫 만남_ 3_4 _놀이_ v2.${suffix}`)}`
      t.match(file.headers['content-disposition'], new RegExp(named))
      t.same(
        await said(await ask('GET', `/versions/2.${suffix}`), suffix),
        await said(file, suffix),
        `${suffix} of a version`,
      )
      t.notMatch((await ask('GET', `/versions/1.${suffix}`)).text, '지우')
      t.match(await ask('GET', `/versions/3.${suffix}`), { status: 400, body: { error_code: 6 } })
      const accepted = await ask('GET', '', { headers: { accept: type.split(';')[0] ?? '' } })
      t.match(accepted.headers, { 'content-type': type, vary: /\bAccept\b/, etag: file.headers.etag })
      t.same(await said(accepted, suffix), await said(file, suffix), `${suffix} by Accept`)
      t.equal(file.headers.etag, suffix === 'json' ? '"2"' : `W/"2-${suffix}"`, 'strong only where the bytes are kept')
      for (const tag of [`"2-${suffix}"`, `W/"2-${suffix}"`].slice(suffix === 'json' ? 2 : 0))
        t.equal((await ask('GET', `.${suffix}`, { headers: { 'if-none-match': tag } })).status, 304)
    }
    t.match((await ask('GET', '/versions/2', { headers: { accept: 'text/vtt' } })).text, /^WEBVTT/)
    t.match(await ask('GET', '.pdf'), { status: 404 })
    t.equal((await ask('GET', '.json')).text, script)
    t.match((await ask('GET', '.vtt')).text, '00:00:03.001 --> 00:00:04.000\n<v C>네 &amp; &lt;좋아요&gt;</v>')
    t.equal((await ask('GET', '.txt')).text, '[00:00:01] T: 안녕, 지우야\n[00:00:03] C: 네 & <좋아요>\n')
    const csv = parse((await ask('GET', '.csv')).bytes, { bom: true, columns: true })
    t.same(csv, records)
    const [sheet] = await readXlsx((await ask('GET', '.xlsx')).bytes)
    t.same(sheet?.data.slice(1), records.map(Object.values))

    t.test('captions are imported as they were exported', async (t) => {
      for (const suffix of ['vtt', 'srt']) {
        const { text } = await ask('GET', `/versions/2.${suffix}`)
        t.same(await post(form('{"scripts":[],"between":1}')), saved)
        const back = await ask('POST', '/import', { body: form(text, 'script', `자막.${suffix}`) })
        t.equal(back.status, 200)
        t.match(back.headers.etag, `"${back.body.version}"`)
        t.same((await ask('GET', '')).body, {
          scripts: records.map((one) => ({ ...one, end_time: one.end_time.replace('.000', '') })),
        })
      }
    })
  })

t.test('a client that also accepts JSON gets JSON', async (t) => {
  const { ask, post } = await testScripts(t, await testStore(t, 'file'))
  t.same(await post(form(script)), saved)
  for (const accept of [
    'application/json, text/plain, */*',
    '*/*',
    '',
    'text/html,*/*;q=0.8',
    'video/mp4',
    ';;',
    'x'.repeat(9000),
  ])
    t.match(await ask('GET', '', { headers: { accept } }), { status: 200, text: script }, accept.slice(0, 40))
})

t.test('a file without captions is refused with the line', async (t) => {
  const { ask, objects, post } = await testScripts(t, await testStore(t, 'file'))
  const send = (content: string | Uint8Array, headers = {}) =>
    ask('POST', '/import', { body: form(content, 'script', 'a.vtt'), headers })
  const refused = { status: 422, body: { error_code: 8 } }
  const wrong = {
    nothing: '',
    'no cues': 'WEBVTT\n',
    'a sentence': 'hello',
    JSON: script,
    'a broken time': 'WEBVTT\n\n00:00:61.000 --> 00:00:62.000\nx',
  }
  for (const [what, text] of Object.entries(wrong)) t.match(await send(text), refused, what)
  t.match((await send(Buffer.from([0xff, 0xfe, 0x31]))).status, 422)
  t.same((await send(wrong['a broken time'])).body.detail[0].loc, ['body', 'script', 3])
  t.match(await ask('POST', '/import', { body: 'WEBVTT', headers: { 'content-type': 'text/vtt' } }), { status: 422 })
  t.match((await send(Buffer.alloc(20 * 1024 ** 2 + 1, ' '))).status, 413)
  t.same(await objects(), [])
  const good = '1\n00:00:01,000 --> 00:00:02,000\nT: 안녕\n'
  t.match(await send(good, { 'if-match': '"3"' }), { status: 412, body: { current_version: 0 } })
  t.match(await send(good), { status: 200, body: { version: 1 } })
  t.same((await ask('GET', '')).body.scripts, [
    { start_time: '00:00:01', end_time: '00:00:02', speaker: 'T', text: '안녕' },
  ])
  t.same(await post(form(script)), saved)
})
