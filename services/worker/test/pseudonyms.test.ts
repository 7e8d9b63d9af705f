/** Codes for names, in texts that are as large, and among names that are as many, as the routes let them be. */
import t from 'tap'
import { pseudonymsOf } from '../src/export/pseudonyms.ts'

const moment = '2026-01-02T03:04:05.678Z'
const caseOf = (description: Record<string, unknown>, given_name = '지우', family_name: string | null = '김') => ({
  ...{ id: 1, given_name, family_name, description, case_state_id: 1 },
  ...{ created_at: moment, updated_at: moment },
})
const listOf = (codes: ReturnType<typeof pseudonymsOf>) => JSON.stringify(codes.list())

/** How often the event loop ran during some work. */
async function turnsDuring(work: () => Promise<unknown>) {
  let turns = 0
  let isOver = false
  const count = () => {
    turns++
    if (!isOver) setImmediate(count)
  }
  setImmediate(count)
  await work()
  isOver = true
  return turns
}

t.test('long and many names do not hold the process up, and what is left of them is said', async (t) => {
  const digits = '1'.repeat(2 * 1024 ** 2)
  const long = pseudonymsOf(caseOf({ name: '1'.repeat(16_000), nickname: 'Anna Lee' }))
  const turns = await turnsDuring(async () =>
    t.equal(await long.inText('a', `${digits} Anna Lee`), `${digits} PERSON-1`),
  )
  t.ok(turns > 100, 'other work had its turn')
  t.match(listOf(long), '1 names of the description outside of it')
  t.match(await long.inCase('case.json', caseOf({ name: '1'.repeat(16_000) }), () => true), {
    description: { name: 'PERSON' },
  })

  const many = pseudonymsOf(caseOf({ names: Array.from({ length: 2_000 }, (_, i) => `a${1_000 + i}`) }))
  t.ok((await turnsDuring(() => many.inText('a', 'a'.repeat(2 * 1024 ** 2)))) > 100)
  t.match(await many.inText('a', 'a1000, a1199, a1200'), 'PERSON-1, PERSON-200, a1200')
  t.match(listOf(many), '1800 names')
})

t.test('a name is found wherever the pieces of a long text end', async (t) => {
  const codes = pseudonymsOf(caseOf({ name: '𝒜nna Lee' }))
  for (const before of [16_376, 16_380, 16_383, 16_384, 16_385]) {
    const filler = ' '.repeat(before)
    t.equal(await codes.inText('a', `${filler}𝒜nna Lee 지우야`), `${filler}PERSON-1 CHILD-GIVEN야`)
    t.equal(await codes.inText('a', `${filler}x𝒜nna Lee`), `${filler}x𝒜nna Lee`)
  }
})

t.test('keys of a description that become one are kept apart', async (t) => {
  const document = caseOf({ name: 'Anna', nickname: 'Bo Li', of: { Anna: 1, ANNA: 2, 'Anna 2': 3, anna: 4 } })
  t.match(await pseudonymsOf(document).inCase('case.json', document, () => true), {
    description: { of: { 'PERSON-1': 1, 'PERSON-1 2': 2, 'PERSON-1 2 2': 3, 'PERSON-1 3': 4 } },
  })
})

t.test(
  'names are found beside particles and numbers, in lists of names, and between characters that nobody sees',
  async (t) => {
    const codes = pseudonymsOf(
      caseOf({ names: '김철수, 이영희/박민수·Bo\nSu-jin; X', guardian_name: 'Ann\u200ba Lee' }, 'Tom', null),
    )
    const texts = {
      'Tom이 Tom은 Tom2.mp4 _tom_ TOM': 'CHILD-GIVEN이 CHILD-GIVEN은 CHILD-GIVEN2.mp4 _CHILD-GIVEN_ CHILD-GIVEN',
      'Tommy Atom tomé': 'Tommy Atom tomé',
      '철수와 이영희는 박민수': '철수와 PERSON-2는 PERSON-3',
      '김철수 Bo Bob Su-jin': 'PERSON-1 PERSON-4 Bob PERSON-5',
      '이\u200b영\u2060\u00ad희 Anna\u200b \ufeffLee T\u200dom': 'PERSON-2 PERSON-6 CHILD-GIVEN',
      '김철수, 이영희': 'PERSON-1, PERSON-2',
    }
    for (const [text, coded] of Object.entries(texts)) t.equal(await codes.inText('a', text), coded)
    const document = caseOf({ names: '김철수, X' })
    t.match(await pseudonymsOf(document).inCase('a', document, () => true), {
      description: { names: 'PERSON-1,PERSON' },
    })
  },
)

t.test('a key that says that a name is below it does so in whatever form it is typed', async (t) => {
  const keys = ['어머니 이름'.normalize('NFD'), '성\u200b명', 'guardian_n\u00adame']
  for (const key of keys) {
    const document = caseOf({ [key]: '박영희', note: '박영희와' })
    const { description } = await pseudonymsOf(document).inCase('case.json', document, () => true)
    t.strictSame(Object.values(description), ['PERSON-1', 'PERSON-1와'], encodeURI(key))
  }
})

t.test('a name is found however its words are joined, and each word of it', async (t) => {
  const cases: [given: string, family: string | null, texts: Record<string, string>][] = [
    [
      'Min-jun',
      'Kim',
      {
        'MinJunKim.mp4 min_jun_kim KIM-MIN-JUN': 'CHILD.mp4 CHILD CHILD',
        'Minjun, minjun이 Min jun': 'CHILD-GIVEN, CHILD-GIVEN이 CHILD-GIVEN',
        'Kim, Minjun': 'CHILD',
        'Minjunior Kimchi': 'Minjunior Kimchi',
      },
    ],
    // A therapist may write the whole name into one field.
    ['김 하늘', null, { '김하늘이 김_하늘은 하늘아': 'CHILD-GIVEN이 CHILD-GIVEN은 CHILD-GIVEN아' }],
    ['지우 12', '1반 김', { '12:30에 지우가, 12명': '12:30에 CHILD-GIVEN가, 12명' }],
    ['Anna Maria', "O'Brien", { 'Anna와 annamaria, O’BRIEN': 'CHILD-GIVEN와 CHILD', 'O’Brien': 'CHILD-FAMILY' }],
    // A word of a few letters, or one that is no name, stays.
    ['Ana', 'de la Cruz', { 'la Cruz de': 'la CHILD-FAMILY de', delacruz: 'CHILD-FAMILY' }],
    // What is written beside a name in its field.
    ['지우(별이)🐣', '김', { '지우가 별이와 김지우는': 'CHILD-GIVEN가 CHILD-GIVEN와 김CHILD-GIVEN는' }],
    ['나', '이', { '이나, 이 나는 나이': 'CHILD, CHILD는 나이' }],
    ['--', '김', { '-- 김 -': 'CHILD-GIVEN 김 -' }],
  ]
  for (const [given, family, texts] of cases) {
    const codes = pseudonymsOf(caseOf({}, given, family))
    for (const [text, coded] of Object.entries(texts)) t.equal(await codes.inText('a', text), coded)
  }
  const codes = pseudonymsOf(caseOf({ guardian_name: 'Su-jin Park' }))
  t.equal(await codes.inText('a', 'SujinPark, su_jin park; Park'), 'PERSON-1, PERSON-1; Park')
})
