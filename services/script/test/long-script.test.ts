import { clockTime } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import type { ScriptRecord } from '@playtherapy/versions/records'
import t from 'tap'
import { form, saved, testScripts } from './support.ts'

const count = 3_000
const said = ['오늘은 무엇을 하고 싶니?', '인형의 집을 지을래요.', '괴물이 와서 다 무너졌어요!', '그래서 무서웠구나.']

/** Two hours of talk, with a record every 2.4 seconds. */
const scripts: ScriptRecord[] = Array.from({ length: count }, (_, n) => ({
  start_time: clockTime(n * 2400),
  end_time: clockTime(n * 2400 + 2000),
  speaker: n % 2 ? 'C' : 'T',
  text: `${said[n % said.length]} ${n}`,
}))

for (const backend of storeBackends)
  t.test(`every route handles a session of two hours, in ${backend}`, async (t) => {
    const { ask, host, place, post } = await testScripts(t, await testStore(t, backend))
    const text = JSON.stringify({ scripts })
    t.same(await post(form(text)), saved)
    t.equal((await ask('GET', '')).text, text)

    const operations = [
      { op: 'test', path: '/scripts/1500/text', value: scripts[1500]?.text },
      { op: 'replace', path: '/scripts/1500/text', value: '바꾼 말' },
      { op: 'replace', path: '/scripts/1600/speaker', value: 'C2' },
      { op: 'replace', path: '/scripts/1700/start_time', value: '01:08:01' },
      { op: 'remove', path: '/scripts/2999' },
      { op: 'add', path: '/scripts/0', value: { speaker: 'T', text: '시작할게.' } },
    ]
    const headers = { 'content-type': 'application/json-patch+json', 'if-match': '"1"' }
    const patched = await ask('PATCH', '', { body: JSON.stringify(operations), headers })
    t.match(patched, { status: 200, body: { version: 2 } })

    const { body: changes } = await ask('GET', '/changes?from=1&to=2')
    t.match(changes.counts, { same: count - 4, added: 1, removed: 1, text: 1, time: 1, speaker: 1, other: 0 })

    const lines = { vtt: ' --> ', srt: ' --> ', txt: '\n', csv: '\r\n' }
    for (const [suffix, mark] of Object.entries(lines)) {
      const { text } = await ask('GET', `.${suffix}`)
      t.equal(text.split(mark).length - 1, suffix === 'csv' ? count + 1 : count, suffix)
      t.match(text, '바꾼 말')
    }
    t.ok((await ask('GET', '.xlsx')).bytes.length > 10_000)
    t.match((await ask('GET', '/summary')).body, { utterances: count, speakers: { length: 3 } })

    const search = `${host.url}/contents/api/case/${place.caseId}/script-search?limit=200&keyword=`
    const found = async (word: string) =>
      (await fetch(search + encodeURIComponent(word), { headers: host.as(7) })).json()
    t.match(await found('바꾼'), { hits: [{ version: 2, record: 1501, snippet: '바꾼 말' }], more: false })
    t.match(await found('괴물'), { hits: { length: 200 }, more: true })
  })
