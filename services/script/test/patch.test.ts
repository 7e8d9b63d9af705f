import t from 'tap'
import Value from 'typebox/value'
import { Patch, patchDocument } from '../src/versions/patch.ts'

const place = ['body']
const script = () => ({
  scripts: [
    { speaker: 'T', text: 'a', start_time: '00:00:01' },
    { speaker: 'C', text: 'b', note: { 'x/y~z': [1, null] } },
  ],
  v: 1,
})

/** The document after this patch. */
function patched(operations: unknown[], document: object = script()) {
  const patch = Value.Parse(Patch, operations)
  patchDocument(document, patch, place)
  return document
}

/** The fault of a refused patch, as `place: message`. */
function refusal(operations: unknown[], document: object = script()): string {
  try {
    patched(operations, document)
  } catch (error) {
    const [detail] = Object(error).detail ?? []
    return detail ? `${detail.loc.join('.')}: ${detail.msg}` : 'no patch'
  }
  return 'accepted'
}

t.test('all operations of RFC 6902 work', async (t) => {
  const text = (document: object) => Object(document).scripts.map((record: { text?: string }) => record.text)
  t.same(text(patched([{ op: 'replace', path: '/scripts/1/text', value: '안녕' }])), ['a', '안녕'])
  t.same(text(patched([{ op: 'add', path: '/scripts/1', value: { text: 'n' } }])), ['a', 'n', 'b'])
  t.same(text(patched([{ op: 'add', path: '/scripts/-', value: { text: 'n' } }])), ['a', 'b', 'n'])
  t.same(text(patched([{ op: 'add', path: '/scripts/2', value: { text: 'n' } }])), ['a', 'b', 'n'])
  t.same(text(patched([{ op: 'remove', path: '/scripts/0' }])), ['b'])
  t.same(text(patched([{ op: 'move', from: '/scripts/0', path: '/scripts/1' }])), ['b', 'a'])
  t.same(text(patched([{ op: 'move', from: '/scripts/0', path: '/scripts/0' }])), ['a', 'b'])
  t.same(text(patched([{ op: 'copy', from: '/scripts/0', path: '/scripts/-' }])), ['a', 'b', 'a'])
  t.same(
    patched([
      { op: 'test', path: '/scripts/1/note/x~1y~0z', value: [1, null] },
      { op: 'replace', path: '/scripts/1/note/x~1y~0z/1', value: 2 },
      {
        op: 'test',
        path: '',
        value: { ...script(), scripts: [script().scripts[0], { speaker: 'C', text: 'b', note: { 'x/y~z': [1, 2] } }] },
      },
      { op: 'replace', path: '/scripts', value: [] },
      { op: 'add', path: '/', value: 'an empty key' },
      { op: 'remove', path: '/v' },
    ]),
    { scripts: [], '': 'an empty key' },
  )
  const document = patched([
    { op: 'copy', from: '/scripts/1/note', path: '/scripts/0/note' },
    { op: 'replace', path: '/scripts/0/note/x~1y~0z/0', value: 9 },
  ])
  t.same(Object(document).scripts[1].note, { 'x/y~z': [1, null] }, 'a copy stands for itself')
})

t.test('a patch that cannot be applied is refused with the index of the operation', async (t) => {
  const fine = { op: 'test', path: '/v', value: 1 }
  const refused = (operation: object) => refusal([fine, operation])
  for (const path of [
    '/scripts/2',
    '/scripts/-',
    '/scripts/00',
    '/scripts/1e0',
    '/scripts/length',
    '/nothing',
    '/v/0',
    '/scripts/0/text/0',
    '/scripts/-1',
  ]) {
    t.equal(refused({ op: 'replace', path, value: 1 }), 'body.1: path points to nothing', path)
    t.equal(refused({ op: 'remove', path }), 'body.1: path points to nothing', path)
    t.equal(refused({ op: 'test', path, value: null }), 'body.1: path points to nothing', path)
    t.equal(refused({ op: 'copy', from: path, path: '/copy' }), 'body.1: from points to nothing', path)
    t.equal(refused({ op: 'move', from: path, path: '/copy' }), 'body.1: from points to nothing', path)
  }
  for (const path of ['/scripts/3', '/scripts/01', '/scripts/x', '/nothing/x', '/v/x', '']) {
    t.equal(refused({ op: 'add', path, value: 1 }), 'body.1: path has no room for a value', path)
  }
  t.equal(refused({ op: 'move', from: '/scripts/0', path: '/scripts/2' }), 'body.1: path has no room for a value')
  t.equal(refused({ op: 'test', path: '/v', value: '1' }), 'body.1: test failed')
  t.equal(refused({ op: 'test', path: '/scripts/0', value: {} }), 'body.1: test failed')
  t.equal(
    refused({ op: 'move', from: '/scripts/0', path: '/scripts/0/note' }),
    'body.1: from cannot be moved into itself',
  )
  t.equal(refused({ op: 'move', from: '', path: '/x' }), 'body.1: from cannot be moved into itself')
  t.equal(refused({ op: 'replace', path: '', value: {} }), 'body.1: path cannot be the whole document')
  t.equal(refused({ op: 'remove', path: '' }), 'body.1: path cannot be the whole document')
})

t.test('a body that is no patch is refused before it is applied', async (t) => {
  const bad = [
    { op: 'add', path: '/x' },
    { op: 'spam', path: '/x' },
    { op: 'remove' },
    { op: 'remove', path: 'x' },
    { op: 'move', path: '/x' },
    null,
  ]
  for (const operation of bad) t.notOk(Value.Check(Patch, [operation]), JSON.stringify(operation))
  t.notOk(Value.Check(Patch, {}))
  t.notOk(Value.Check(Patch, Array(1001).fill({ op: 'remove', path: '/x' })))
  t.ok(Value.Check(Patch, []))
})

t.test('no patch reaches a prototype', async (t) => {
  const paths = [
    '/__proto__/x',
    '/constructor/prototype/x',
    '/toString/call',
    '/scripts/push/x',
    '/scripts/__proto__/x',
    '/__proto__',
  ]
  for (const path of [...paths, '/constructor', '/scripts/0/prototype']) {
    t.match(refusal([{ op: 'add', path, value: () => 1 }]), /^body\.0: /, path)
  }
  for (const path of paths) {
    t.match(refusal([{ op: 'replace', path, value: 1 }]), /^body\.0: /, path)
    t.match(refusal([{ op: 'copy', from: path, path: '/x' }]), /^body\.0: /, path)
    t.match(refusal([{ op: 'copy', from: '/v', path }]), /^body\.0: /, path)
    t.match(refusal([{ op: 'move', from: '/v', path }]), /^body\.0: /, path)
  }
  const own = JSON.parse('{"constructor":{"x":1}}')
  t.match(refusal([{ op: 'replace', path: '/constructor/x', value: 2 }], own), /^body\.0: path points to nothing/)
  t.notOk(Object.hasOwn(Object.prototype, 'x'))
  t.equal(Object.prototype.toString.call([]), '[object Array]')
})

t.test('a patch can neither fill the memory nor run for long', async (t) => {
  const doubling = Array.from({ length: 60 }, (_, index) => ({ op: 'copy', from: '', path: `/${index}` }))
  t.match(refusal(doubling), /^body\.\d+: copies make more than/)
  const scripts = Array.from({ length: 100_000 }, (_, index) => ({ speaker: 'T', text: `word ${index}` }))
  const slow = Array.from({ length: 1000 }, (_, index) =>
    index % 2
      ? { op: 'move', from: '/scripts/0', path: '/scripts/-' }
      : { op: 'add', path: '/scripts/0', value: { text: 'n' } },
  )
  t.equal(Object(patched(slow, { scripts })).scripts.length, 100_500)
  const there = { op: 'move', from: '/scripts', path: '/x' }
  const moved = patched([there, { op: 'move', from: '/x', path: '/scripts' }], { scripts })
  t.equal(Object(moved).scripts, scripts, 'a move copies nothing, so a thousand take no longer')
  t.equal(
    refusal([{ op: 'test', path: '/scripts', value: scripts.map((record) => ({ ...record, text: '' })) }], { scripts }),
    'body.0: test failed',
  )
})
