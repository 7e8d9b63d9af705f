import { readFileSync } from 'node:fs'
import { migrate } from '@playtherapy/schema/migrate'
import { emptyDatabase, testDatabase } from '@playtherapy/testing'
import { array, asyncProperty, assert as check, constantFrom, oneof, string } from 'fast-check'
import postgres from 'postgres'
import t from 'tap'
import { fold } from '../src/fold.ts'

t.test('searches of the database and of scripts compare texts alike', async (t) => {
  const { db } = await testDatabase(t)
  const sql = db.$client
  const folded = async (texts: string[]) =>
    (await sql`select search_fold(text) as folded from unnest(${texts}::text[]) as texts (text)`).map(
      (row) => row.folded,
    )
  const assigned = Array.from({ length: 0x110000 }, (_, code) => code).filter(
    (code) => code > 0 && !/[\p{Cn}\p{Co}\p{Cs}]/u.test(String.fromCodePoint(code)),
  )
  const characters = assigned.map((code) => String.fromCodePoint(code))
  const known = await sql`select text from unnest(${characters}::text[]) as texts (text) where unicode_assigned(text)`
  t.ok(known.length > 150_000, 'the database may know an older Unicode')
  // Between letters, so that spaces and marks have neighbours.
  const texts = known.map(({ text }) => `a${text}b`)
  const inDatabase = await folded(texts)
  t.same(
    texts.filter((text, index) => fold(text) !== inDatabase[index]).map((text) => text.codePointAt(1)?.toString(16)),
    [],
  )
  const parts = ['김지우', '\u1100', '\u1161', '\u11a8', 'É', 'e', '\u0301', '\u0323', '\u200b', '\u200d', '\ufeff']
  const text = oneof(
    array(
      constantFrom(
        ...parts,
        ' ',
        '\n',
        '\u00a0',
        '\r\n',
        'Σ',
        'ς',
        'İ',
        'I',
        '\u0307',
        'J\u030c',
        'ß',
        '👩‍👧',
        '\u3164',
      ),
      {
        maxLength: 9,
      },
    ),
    array(string({ unit: 'grapheme', maxLength: 3 })),
  ).map((some) => some.join('').replaceAll('\0', ''))
  await check(
    asyncProperty(array(text, { maxLength: 50 }), async (some) => {
      t.same(await folded(some), some.map(fold))
    }),
    { numRuns: 40 },
  )
})

t.test('texts that look alike are equal, and the folded text of a folded one is itself', async (t) => {
  for (const [text, same] of [
    ['김지우', '김지우'.normalize('NFD')],
    ['ÉLODIE', 'e\u0301lodie'],
    ['ΟΔΟΣ', 'οδος'],
    ['İstanbul', 'ISTANBUL'],
    ['İstanbul'.normalize('NFD'), 'istanbul'],
    ['J\u030c \u03aa\u0301', 'ǰ ΐ'],
    ['a b', 'a\u00a0\r\n\u3000b'],
    ['지우', '지\u200b우\ufeff'],
    ['soft', 's\u00adoft'],
  ] as const) {
    t.equal(fold(text), fold(same))
    t.equal(fold(fold(text)), fold(text))
  }
  t.not(fold('a b'), fold('ab'))
})

t.test('a hostile run of marks costs the database no time', async (t) => {
  const { db } = await testDatabase(t)
  await db.$client`set statement_timeout = 2000`
  const marks = 'a'.concat('\u0323\u0301'.repeat(8_000))
  const [row] = await db.$client`select length(search_fold(${marks.repeat(5)})) as length`
  t.ok(row?.length > 50_000)
})

t.test('cases that were there before are found, and nothing waits for it', async (t) => {
  const url = await emptyDatabase(t)
  await migrate(url)
  const sql = postgres(url, { max: 2, onnotice: () => {} })
  t.teardown(() => sql.end())
  const older = readFileSync(new URL('../migrations/0009_case-search-text.sql', import.meta.url), 'utf8')
  const [foldOfBefore = ''] = older.split('--> statement-breakpoint')
  const [foldOfToday] = await sql`select pg_get_functiondef('search_fold'::regproc) as statement`
  await sql.unsafe(foldOfBefore.replace('CREATE FUNCTION', 'CREATE OR REPLACE FUNCTION'))
  const typed = '김지우'.normalize('NFD')
  await sql`insert into cases (user_id, given_name) select 7, ${typed} || n from generate_series(1, 2500) as n`
  await sql`insert into cases (user_id, given_name) values (7, 'Ann')`
  await sql.unsafe(foldOfToday?.statement)
  const found = async () =>
    (await sql`select count(*)::int as count from cases where strpos(search_text, search_fold('김지우')) > 0`)[0]?.count
  const [before] = await sql`select xmin from cases where given_name = 'Ann'`
  t.equal(await found(), 0)
  await migrate(url)
  t.equal(await found(), 0, 'cases are not looked through where the functions are those of the last upgrade')
  await sql`update installation set folded_by = 'other functions'`
  // Somebody reads meanwhile.
  const reader = await sql.reserve()
  await reader`begin`
  await reader`select from cases`
  await migrate(url)
  await reader`commit`
  reader.release()
  t.equal(await found(), 2500)
  const [after] = await sql`select xmin from cases where given_name = 'Ann'`
  t.same(after, before, 'what is right already is not written')
})
