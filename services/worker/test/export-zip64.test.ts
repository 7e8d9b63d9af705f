/** Archives beyond 4 GiB: their zeros are holes of a file, so that they take no room on the disk. */
import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, open, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import t from 'tap'
import { type Entry, zipOf } from '../src/export/zip.ts'
import { testByOthers } from './export-support.ts'

const gibibyte = 1024 ** 3
const zeros = Buffer.alloc(1024 ** 2)

function* manyZeros(bytes: number) {
  for (let left = bytes; left > 0; left -= zeros.length) yield zeros
}

/** Reads the directory, the sizes and the small files by Python, and the first bytes of each large one. */
const program = `
import json, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as z:
    print(json.dumps([[i.filename, i.file_size, i.header_offset, z.open(i).read(5).decode('latin1')] for i in z.infolist()]))
`

t.test('a file of more than 4 GiB, and what comes after it, is read by other programs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-zip64-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const path = join(folder, 'large.zip')
  const file = await open(path, 'w')
  async function* entries(): AsyncGenerator<Entry> {
    yield { name: 'first', body: [Buffer.from('first')] }
    yield { name: 'large', body: manyZeros(4 * gibibyte + zeros.length) }
    yield { name: 'last', body: [Buffer.from('last!')] }
  }
  const sizes: number[] = []
  let at = 0
  for await (const part of zipOf(entries(), new Date('2026-11-27T00:00:00Z'), ({ size }) => sizes.push(size))) {
    if (!(part.length === zeros.length && zeros.equals(part))) {
      await file.write(part, 0, part.length, at)
    }
    at += part.length
  }
  await file.truncate(at)
  await file.close()
  t.strictSame(sizes, [5, 4 * gibibyte + zeros.length, 5])
  t.ok((await stat(path)).blocks * 512 < zeros.length, 'it takes no room')
  t.ok(at > 4 * gibibyte)
  const run = promisify(execFile)
  const { stdout } = await run('python3', ['-c', program, path])
  const [first, large, last] = JSON.parse(stdout)
  t.strictSame([first[0], first[1], first[3]], ['first', 5, 'first'])
  t.strictSame([large[0], large[1], large[3]], ['large', 4 * gibibyte + zeros.length, '\0'.repeat(5)])
  t.ok(last[2] > 4 * gibibyte, 'its place does not fit into 32 bits')
  t.equal(last[3], 'last!')
  const { stdout: piped } = await run('unzip', ['-p', path, 'last'])
  t.equal(piped, 'last!', 'Info-ZIP reads it, too')
  await testByOthers(path)
})

t.test('names in Korean, and more files than 16 bits count, are read by other programs', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'playtherapy-zip64-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const names = ['세션/첫 번째 기록.txt', ...Array.from({ length: 65_535 }, (_, number) => `${number}.txt`)]
  async function* entries(): AsyncGenerator<Entry> {
    for (const name of names) yield { name, body: name.startsWith('세션') ? [Buffer.from('안녕')] : [] }
  }
  const path = join(folder, 'many.zip')
  await pipeline(
    zipOf(entries(), new Date(), () => {}, 70_000),
    createWriteStream(path),
  )
  const { stdout } = await promisify(execFile)('python3', ['-c', program, path], { maxBuffer: 64 * 1024 ** 2 })
  const files: [string, number][] = JSON.parse(stdout)
  t.strictSame(
    files.map(([name]) => name),
    names,
  )
  await testByOthers(path)
})

t.test('more files than an archive may have are refused', async (t) => {
  async function* entries(): AsyncGenerator<Entry> {
    for (let number = 0; ; number++) yield { name: `${number}`, body: [] }
  }
  const read = async () => {
    for await (const _part of zipOf(entries(), new Date(), () => {}, 100));
  }
  await t.rejects(read(), { name: 'TooManyFilesError' })
})

t.test('what a file throws, the reader of the archive gets', async (t) => {
  const broken = async function* () {
    yield Buffer.from('some')
    throw new Error('the store broke off')
  }
  async function* entries(): AsyncGenerator<Entry> {
    yield { name: 'broken', body: broken() }
  }
  const read = async () => {
    for await (const _part of zipOf(entries(), new Date(), () => {}));
  }
  await t.rejects(read(), { message: 'the store broke off' })
})
