import { type Attack, range, scriptOf, sessionWithScript, statuses } from '../attack.ts'

type Operation = Record<string, unknown>

/** Returns an attack that sends one JSON Patch for a script. */
const patching = (name: string, what: string, script: () => string, operations: () => Operation[]): Attack => ({
  name,
  what,
  async prepare(stage) {
    const hostile = stage.therapist()
    const session = await sessionWithScript(hostile, script())
    const headers = { 'content-type': 'application/json-patch+json', 'if-match': '"1"' }
    const body = JSON.stringify(operations())
    return async () => statuses([await hostile.send('PATCH', `${session}/script`, { body, headers })])
  },
})

const many = () => scriptOf(range(99_000).map((n) => `text ${n}`))
const small = () => scriptOf(['a'])
const ninety = Object.fromEntries(range(90).map((n) => [`k${n}`, 'x'.repeat(20)]))

/** Small JSON Patches with a large result or much work. */
export const patchAttacks: Attack[] = [
  patching('patch-doubling', 'a patch that copies a value into itself 1,000 times', small, () => [
    { op: 'add', path: '/a', value: ['x'] },
    ...range(999).map(() => ({ op: 'copy', from: '/a', path: '/a/-' })),
  ]),
  patching('patch-nesting', 'the same, each copy one level deeper', small, () => [
    { op: 'add', path: '/a', value: {} },
    ...range(500).map((n) => ({ op: 'copy', from: '/a', path: `/a/b${n}` })),
  ]),
  patching(
    'patch-copies',
    'copies of 19 MB of a script of 20 MB',
    () => scriptOf(['x'.repeat(19_000_000)]),
    () => [
      { op: 'copy', from: '/scripts', path: '/more' },
      { op: 'copy', from: '/scripts', path: '/more2' },
    ],
  ),
  patching('patch-tests', '300 tests of a value of 90 keys', small, () => [
    { op: 'add', path: '/a', value: ninety },
    ...range(300).map(() => ({ op: 'test', path: '/a', value: ninety })),
  ]),
  patching('patch-heads', '1,000 removals at the head of 99,000 records', many, () =>
    range(1_000).map(() => ({ op: 'remove', path: '/scripts/0' })),
  ),
  patching('patch-moves', '1,000 moves from the head to the end of 99,000 records', many, () =>
    range(1_000).map(() => ({ op: 'move', from: '/scripts/0', path: '/scripts/-' })),
  ),
  patching('patch-whole', '1,000 moves of all 99,000 records to and fro', many, () =>
    range(1_000).map((n) =>
      n % 2 === 0 ? { op: 'move', from: '/scripts', path: '/other' } : { op: 'move', from: '/other', path: '/scripts' },
    ),
  ),
]
