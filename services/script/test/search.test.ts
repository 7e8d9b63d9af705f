import { cases, scriptPages, sessions } from '@playtherapy/schema'
import { storeBackends, testStore } from '@playtherapy/testing'
import { eq } from 'drizzle-orm'
import t from 'tap'
import { excerpt } from '../src/search/excerpt.ts'
import { form, type Place, record, saved, testScripts } from './support.ts'

type Scripts = Awaited<ReturnType<typeof testScripts>>

/** Saves scripts of these texts, and searches their case. */
function searching({ host, post, db }: Scripts) {
  return {
    async search(at: Place, keyword: string, more: Record<string, string> = {}, userId = 7) {
      const query = new URLSearchParams({ keyword, ...more })
      const url = `${host.url}/contents/api/case/${at.caseId}/script-search?${query}`
      const response = await fetch(url, { headers: host.as(userId) })
      const body: {
        hits: { session_id: number; record: number; snippet: string; matches: { start: number; end: number }[] }[]
      } = Object(await response.json())
      return { status: response.status, body }
    },
    save: (at: Place, ...texts: string[]) =>
      post(form(JSON.stringify({ scripts: texts.map((text) => ({ ...record, text })) })), at, host.as(7)),
    async sibling({ caseId }: Place): Promise<Place> {
      const [row] = await db.insert(sessions).values({ caseId, name: 'second' }).returning()
      return { caseId, sessionId: row?.id ?? 0 }
    },
  }
}

for (const backend of storeBackends)
  t.test(`what was said is found, in ${backend}`, async (t) => {
    const scripts = await testScripts(t, await testStore(t, backend))
    const { place, db } = scripts
    const { search, save, sibling } = searching(scripts)
    t.same(await search(place, 'x'), { status: 200, body: { hits: [], more: false, unread: [] } }, 'no script yet')
    t.same(await save(place, '오늘은 인형', '괴물이 너무 무서워요. 무서워!', '', 'Line\nTWO'), saved)
    t.same(await search(place, '무서'), {
      status: 200,
      body: {
        hits: [
          {
            session_id: place.sessionId,
            session_name: 'first',
            version: 1,
            record: 1,
            start_time: record.start_time,
            end_time: record.end_time,
            speaker: 'T',
            snippet: '괴물이 너무 무서워요. 무서워!',
            matches: [
              { start: 7, end: 9 },
              { start: 13, end: 15 },
            ],
          },
        ],
        more: false,
        unread: [],
      },
    })
    for (const [keyword, index] of Object.entries({ 형: 0, '너무 무': 1, 무서워요: 1, 'line two': 3, TwO: 3 })) {
      t.same(
        (await search(place, keyword)).body.hits.map((hit) => hit.record),
        [index],
        keyword,
      )
    }
    t.same((await search(place, '인형'.normalize('NFD'))).body.hits.length, 1, 'typed on a Mac')
    t.same((await search(place, '없는')).body.hits, [])

    const second = await sibling(place)
    await save(second, '무서'.normalize('NFD'))
    t.match(
      (await search(place, '무서')).body.hits,
      [
        { session_id: second.sessionId, session_name: 'second', matches: [{ start: 0, end: 2 }] },
        { session_id: place.sessionId },
      ],
      'newest session first',
    )

    await save(place, '처음', '다음')
    t.match(
      (await search(place, '무서')).body.hits,
      [{ session_id: second.sessionId }],
      'older versions are not searched',
    )
    t.match((await search(place, '다음')).body.hits, [{ version: 2, record: 1 }], 'right after the save')
    t.equal(await db.$count(scriptPages), 2, 'and their copies were removed')

    await db.delete(cases).where(eq(cases.id, place.caseId))
    t.equal(await db.$count(scriptPages), 0, 'a deleted case leaves nothing to be found')
  })

t.test('words are found however they were typed', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { place } = scripts
  const { search, save } = searching(scripts)
  const found = async (keyword: string) =>
    (await search(place, keyword)).body.hits.map(({ record, snippet, matches }) => [
      record,
      matches.map(({ start, end }) => snippet.slice(start, end)),
    ])
  const texts = [
    '김지우'.normalize('NFD'),
    '너무\u00a0\r\n 무서워',
    '괴\u200b물\ufeff이 왔어 👩\u200d👧',
    'ΟΔΟΣ Élodie'.normalize('NFD'),
    `${'\u200b가 \u3000'.repeat(300)}끝${'나'.repeat(300)}`,
  ]
  t.same(await save(place, ...texts), saved)
  for (const keyword of ['김지우', '김지우'.normalize('NFD'), ' 김\u200b지우\n']) {
    t.same(await found(keyword), [[0, ['김지우']]], JSON.stringify(keyword))
  }
  for (const space of [' ', '\t', '\u00a0', '\u3000', '  ']) {
    t.same(await found(`너무${space}무서`), [[1, ['너무\u00a0\r\n 무서']]])
  }
  t.same(await found('괴물이'), [[2, ['괴\u200b물\ufeff이']]])
  t.same(await found('οδος ÉLO'), [[3, ['ΟΔΟΣ Élo']]])
  const [hit] = (await search(place, '끝')).body.hits
  t.equal(hit?.snippet, `${'\u200b가 \u3000'.repeat(15)}끝${'나'.repeat(140)}`, 'what nobody sees does not move it')
  for (const keyword of ['\u200b', ' \u200b ', '\ufeff\u00ad']) {
    t.match(await search(place, keyword), { status: 422, body: { error_code: 8 } })
  }
})

t.test('pages that an older release made are made anew', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { place, db } = scripts
  const { search, save } = searching(scripts)
  await save(place, '너무\u00a0무서워', '네')
  t.equal((await search(place, '너무 무서')).body.hits.length, 1)
  await db.update(scriptPages).set({ folded: '너무\u00a0무서워\n네', folding: 1 })
  t.equal((await search(place, '너무 무서')).body.hits.length, 1)
  t.equal(await db.$count(scriptPages), 1)
})

t.test('wildcards are ordinary characters, and odd records are found', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { post, place } = scripts
  const { search } = searching(scripts)
  const odd = [
    { speaker: 'T'.repeat(50), text: '100% a_b c\\d', start_time: { at: 1 }, end_time: 'Invalid Date', note: [1] },
    { speaker: '', text: 'İSTANBUL 🧸 ß' },
    { speaker: 'C', text: `${'가'.repeat(500)}곰${'나'.repeat(500)}`, start_time: null },
  ]
  t.same(await post(form(JSON.stringify({ scripts: odd }))), saved)
  for (const keyword of ['%', '_', '\\', '100%', 'c\\d']) {
    t.match((await search(place, keyword)).body.hits, [{ record: 0, speaker: 'T'.repeat(40) }], keyword)
  }
  t.match((await search(place, 'A_B')).body.hits, [{ start_time: null, end_time: 'Invalid Date' }])
  t.same((await search(place, 'a%b')).body.hits, [])
  t.match((await search(place, 'stanbul')).body.hits, [{ matches: [{ start: 1, end: 8 }] }])
  t.match((await search(place, '🧸')).body.hits, [{ matches: [{ start: 9, end: 11 }] }])
  const [long] = (await search(place, '곰')).body.hits
  t.match(long, { record: 2, matches: [{ start: 60, end: 61 }] })
  t.equal(long?.snippet.length, 201)
})

t.test('long runs of marks and long texts are searched up to the bound', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { place, db } = scripts
  const { search, save } = searching(scripts)
  const marks = (count: number) => '\u0323\u0301'.repeat(count)
  t.same(await save(place, `a${marks(80_000)}인형`, `${'가'.repeat(262_143)}곰돌`, 'É'.normalize('NFD'), '끝'), saved)
  const records = async (keyword: string) => (await search(place, keyword)).body.hits.map((hit) => hit.record)
  t.same(await records('인형'), [0])
  t.same(await records('곰'), [1])
  t.same(await records('돌'), [], 'beyond what is kept of one record')
  t.same(await records('é'), [2], 'in rows of different lengths')
  t.same(await records('끝'), [3])
  t.same(await records(`a${'\u0301\u0323'.repeat(45)}`), [0], 'marks are put in the same order in both')
  t.ok((await db.$count(scriptPages)) > 1)
})

t.test('a text that holds much that nobody sees costs a search little', async (t) => {
  const letters = Array.from({ length: 10_200 }, (_, n) => String.fromCodePoint(0xac00 + n)).join('')
  const before = process.cpuUsage()
  for (let hit = 0; hit < 100; hit++) {
    const { snippet, matches } = excerpt(`${letters}k`, 'k')
    t.same([snippet, matches], [`${letters.slice(-60)}k`, [{ start: 60, end: 61 }]])
  }
  const { user } = process.cpuUsage(before)
  t.ok(user < 400_000, `${user} µs of the processor for a hundred`)
})

t.test('many hits come in pages', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { place } = scripts
  const { search, save } = searching(scripts)
  await save(place, ...Array.from({ length: 260 }, (_, n) => `${n % 2 ? '인형' : '공'} ${n}`))
  const records = async (more: Record<string, string>) => {
    const { body } = await search(place, '인형', more)
    return { ...body, hits: body.hits.map((hit) => hit.record) }
  }
  const odd = Array.from({ length: 130 }, (_, n) => 2 * n + 1)
  t.same(await records({}), { hits: odd.slice(0, 50), more: true, unread: [] })
  t.same(await records({ skip: '50', limit: '80' }), { hits: odd.slice(50), more: false, unread: [] })
  t.same(await records({ limit: '200' }), { hits: odd, more: false, unread: [] })
  t.same(await records({ limit: '0' }), { hits: [], more: true, unread: [] })
  t.same(await records({ skip: '130' }), { hits: [], more: false, unread: [] })
  for (const more of [{ skip: '-1' }, { limit: '-1' }, { limit: '201' }]) {
    t.match(await search(place, '인형', more), { status: 400, body: { error_code: 4 } })
  }
  for (const more of [
    { skip: '1.5' },
    { limit: 'x' },
    { keyword: ' ' },
    { keyword: 'a\0' },
    { keyword: 'x'.repeat(101) },
  ]) {
    t.match(await search(place, '인형', more), { status: 422, body: { error_code: 8 } })
  }
})

t.test('only cases of the therapist are searched', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { addSession, place } = scripts
  const { search, save } = searching(scripts)
  const other = await addSession(7)
  await save(place, '비밀')
  t.same((await search(other, '비밀')).body.hits, [])
  t.match(await search(place, '비밀', {}, 8), { status: 400, body: { error_code: 2 } })
})

t.test('a script that cannot be read is reported, and found once it can be read', async (t) => {
  const store = await testStore(t, 'file')
  const scripts = await testScripts(t, store)
  const { place, db, session } = scripts
  const { search, save, sibling } = searching(scripts)
  const second = await sibling(place)
  await save(place, '인형')
  await save(second, '인형')
  const [key = ''] = (await scripts.objects()).filter((name) => name.includes(`/${second.sessionId}/`))
  await store.delete([key])
  t.match(await search(place, '인형'), {
    status: 200,
    body: { hits: [{ session_id: place.sessionId }], unread: [second.sessionId] },
  })
  await save(second, '인형 둘')
  t.match(await search(place, '인형'), { status: 200, body: { hits: [{ version: 2 }, {}], unread: [] } })
  t.equal(await db.$count(scriptPages), 2)
  t.ok(await session())
})

t.test('searches, saves and a deletion at the same moment do not disturb each other', async (t) => {
  const scripts = await testScripts(t, await testStore(t, 'file'))
  const { place, db } = scripts
  const { search, save, sibling } = searching(scripts)
  const second = await sibling(place)
  await save(second, '인형')
  const work = Array.from({ length: 10 }, async (_, n) => {
    t.same(await save(place, `인형 ${n}`), saved)
    const { status, body } = await search(place, '인형')
    t.equal(status, 200)
    t.ok(body.hits.some((hit) => hit.session_id === place.sessionId))
  })
  await Promise.all([...work, db.delete(sessions).where(eq(sessions.id, second.sessionId))])
  t.equal((await search(place, '인형')).body.hits.length, 1)
})
