import { createHash } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { ListMultipartUploadsCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3'
import { type Attack, insist, range } from '../attack.ts'
import type { Stage } from '../place.ts'
import { type Packed, zeros, zipBytes } from '../zip-bytes.ts'

const mebibyte = 1024 ** 2
/** The number of a therapist whom no other attack has. */
const therapist = 900_000_001
const moment = '2026-03-09T05:12:31.020Z'
const script = 'sessions/5/scripts/script_v1.json'
const session = 'sessions/5/session.json'
const original = 'sessions/5/recordings/6-original.mp4'

const caseDocument = {
  ...{ id: 4, given_name: '지우', family_name: '김', description: { age: 7, gender: 'F' }, case_state_id: 2 },
  ...{ created_at: moment, updated_at: moment },
}
const sessionDocument = {
  ...{ id: 5, name: '첫 만남', session_state_id: 1, encoding_state_id: 1, script_state_id: 3, analyze_state_id: 1 },
  ...{ video_length: null, video_length_set_for: null, previous_video_length: null, created_at: moment },
  ...{ last_script_version: 1, last_report_version: 0 },
  current: { recording: 6, rendition_of: null, script_version: 1, report_version: null },
  recordings: [
    {
      ...{ id: 6, state: 'stored', file_name: 'a.mp4', container: 'mp4', size: 100_000, failure: null },
      ...{ created_at: moment, stored_at: moment, rendition: null },
    },
  ],
  scripts: [{ version: 1, size: 20, made_by: null, warnings: [], created_at: moment }],
  reports: [],
}
const scriptDocument = { scripts: [{ start_time: '00:00:00', end_time: '00:00:01', speaker: 'T', text: '안녕' }] }

type Files = Record<string, string | Uint8Array>

/** The files of an export that is as it should be, but for what `changed` has in their place. */
const files = (changed: Files = {}): Files => ({
  'case.json': JSON.stringify(caseDocument),
  [session]: JSON.stringify(sessionDocument),
  [script]: JSON.stringify(scriptDocument),
  [original]: Buffer.alloc(100_000, 'original'),
  ...changed,
})

const pack = (all: Files): Packed[] => Object.entries(all).map(([name, bytes]) => ({ name, bytes: Buffer.from(bytes) }))

/** The manifest of these files; `hash` gives another hash than theirs. */
const manifestOf = (all: Files, hash?: string) =>
  JSON.stringify({
    ...{ format: 'playtherapy-case', version: 1, made_at: moment, case_id: 4, without_media: false, pseudonyms: false },
    files: Object.entries(all).map(([path, bytes]) => ({
      path,
      size: Buffer.from(bytes).length,
      sha256: hash ?? createHash('sha256').update(bytes).digest('hex'),
    })),
    missing: [],
  })

/** An archive with a manifest for its files, and more files that are not in it. */
const archive = (all: Files, more: Packed[] = [], hash?: string) =>
  zipBytes([...pack(all), ...more, ...pack({ 'manifest.json': manifestOf(all, hash) })])

const text = (document: object, key: string, json: string) =>
  JSON.stringify({ ...document, [key]: 'HERE' }).replace('"HERE"', json)
const nested = (open: string, close: string) => open.repeat(100_000) + close.repeat(100_000)
const sameLists = (bytes: number) => `[${'[],'.repeat(bytes / 3)}[]]`
const described = (json: string) => archive(files({ 'case.json': text(caseDocument, 'description', json) }))
const named = (json: string) => archive(files({ 'case.json': text(caseDocument, 'given_name', json) }))

/** An archive whose list and manifest claim so many bytes of a file that has nine. */
function lying(size: number) {
  const all = files({ 'README.txt': 'x'.repeat(9) })
  const packed = pack(all).map((file) => (file.name === 'README.txt' ? { ...file, size, packedSize: size } : file))
  return zipBytes([...packed, ...pack({ 'manifest.json': manifestOf(all).replace('"size":9,', `"size":${size},`) })])
}

type Hostile = Record<string, () => Uint8Array>

/** Archives that no export is, each made when its turn comes. */
const packages: Hostile = {
  'an empty file': () => Buffer.alloc(0),
  'no ZIP': () => Buffer.alloc(10 * mebibyte, 'no ZIP'),
  'a GiB of zeros as a deflated manifest': () =>
    zipBytes([{ name: 'manifest.json', bytes: zeros(1024), method: 8, size: 1024 * mebibyte }]),
  'a GiB of zeros as a deflated case.json': () =>
    archive(files(), [{ name: 'case.json', bytes: zeros(1024), method: 8, size: 1024 * mebibyte }]),
  'such zeros that claim to be stored': () =>
    zipBytes([{ name: 'manifest.json', bytes: zeros(1024), size: 1024 * mebibyte, packedSize: 1024 * mebibyte }]),
  'a manifest of 500 MiB': () => zipBytes([{ name: 'manifest.json', bytes: Buffer.alloc(500 * mebibyte, ' ') }]),
  '120,000 files': () => archive(Object.fromEntries(range(120_000).map((n) => [`sessions/${n}/session.json`, '{}']))),
  '90,000 sessions of nothing': () =>
    archive({ ...files(), ...Object.fromEntries(range(90_000).map((n) => [`sessions/${n + 9}/session.json`, '{}'])) }),
  'a way out': () => archive(files({ '../../../etc/cron.d/x': 'x' })),
  'a hidden way out': () => archive(files({ 'sessions/5/../../../x': 'x' })),
  'an absolute name': () => archive(files({ '/etc/passwd': 'x' })),
  'a name of Windows': () => archive(files({ 'C:\\x': 'x' })),
  'a name with a NUL': () => archive(files({ 'case.json\0': 'x' })),
  'a name of 64 KiB': () => archive(files({ ['a'.repeat(65_535)]: 'x' })),
  'a name that is no UTF-8': () =>
    zipBytes([...pack(files()), { name: Buffer.from([0xff, 0xfe]), bytes: Buffer.alloc(1) }]),
  'a name twice': () => archive(files(), pack({ 'case.json': JSON.stringify(caseDocument) })),
  'a link of Unix': () => archive(files(), [{ name: 'README.txt', bytes: Buffer.from('/etc/passwd'), mode: 0o120777 }]),
  'a link in place of the script': () => {
    const all = files({ [script]: '/etc/passwd' })
    const packed = pack(all).map((file) => (file.name === script ? { ...file, mode: 0o120777 } : file))
    return zipBytes([...packed, ...pack({ 'manifest.json': manifestOf(all) })])
  },
  'an encrypted file': () => archive(files(), [{ name: 'README.txt', bytes: Buffer.from('x'), flags: 1 }]),
  'wrong hashes': () => archive(files(), [], '0'.repeat(64)),
  'a recording that was changed': () => {
    const bytes = archive(files())
    bytes.write('x', bytes.indexOf('originaloriginal') + 50_000)
    return bytes
  },
  'a size that is too small': () => archive(files(), [{ name: 'README.txt', bytes: Buffer.alloc(9), size: 1 }]),
  'a size that is too large': () => lying(99),
  'a size of 4 GiB': () => lying(0xfffffffe),
  'files that share their bytes': () => {
    const bytes = Buffer.alloc(mebibyte)
    const names = range(900).map((n) => `sessions/${n + 9}/recordings/1-original.mp4`)
    return archive(
      files(),
      names.map((name, n) => ({ name, bytes, isSame: n > 0 })),
    )
  },
  'half a file': () => archive(files()).subarray(0, 60_000),
  'a file without its last byte': () => archive(files()).subarray(0, -1),
  'a MiB of junk before it': () => Buffer.concat([Buffer.alloc(mebibyte, 'junk'), archive(files())]),
  'a MiB of junk after it': () => Buffer.concat([archive(files()), Buffer.alloc(mebibyte, 'junk')]),
}

/** Documents that no export has, in archives that are as they should be. */
const documents: Hostile = {
  'a manifest of 60 MiB of empty lists': () => zipBytes(pack({ 'manifest.json': sameLists(60 * mebibyte) })),
  'a manifest of 60 MiB of keys': () =>
    zipBytes(pack({ 'manifest.json': `{${range(4_000_000).map((n) => `"${n}":{}`)}}` })),
  'a session of 60 MiB of empty lists': () =>
    archive(files({ [session]: text(sessionDocument, 'reports', sameLists(60 * mebibyte)) })),
  'a description of 60 MiB of keys': () => described(`{${range(4_000_000).map((n) => `"${n}":{}`)}}`),
  'a manifest that is nested': () => zipBytes(pack({ 'manifest.json': nested('[', ']') })),
  'a description that is nested': () => described(nested('{"a":', '}').replace('}', '1}')),
  'a script that is nested': () => archive(files({ [script]: nested('[', ']') })),
  'a name of the case with a NUL': () => named('"a\\u0000b"'),
  'a name of the case with half a pair': () => named('"a\\ud800b"'),
  'a name of the case that is no UTF-8': () =>
    archive(files({ 'case.json': Buffer.from(text(caseDocument, 'given_name', '"a\xffb"'), 'latin1') })),
  'a description with a NUL': () => described('{"a":"\\u0000"}'),
  'a description with a key of half a pair': () => described('{"\\udfff":1}'),
  'a description for a prototype': () => described('{"__proto__":{"a":1}}'),
  'a session with a NUL': () => archive(files({ [session]: text(sessionDocument, 'name', '"\\u0000"') })),
  'a recording whose name has half a pair': () =>
    archive(files({ [session]: JSON.stringify(sessionDocument).replace('a.mp4', '\\udc00.mp4') })),
  'a script with a NUL': () => archive(files({ [script]: JSON.stringify(scriptDocument).replace('안녕', '\\u0000') })),
}

/** Keys of objects and unfinished uploads that belong to no case. */
async function ownerless({ bucket, sql }: Pick<Stage, 'bucket' | 'sql'>): Promise<string[]> {
  const { endpoint = '', region, accessKeyId, secretAccessKey, bucket: Bucket } = bucket
  const client = new S3Client({
    ...{ endpoint, region, credentials: { accessKeyId, secretAccessKey }, forcePathStyle: true },
  })
  const keys: string[] = []
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket })) {
    keys.push(...Contents.map(({ Key = '' }) => Key))
  }
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket }))
  keys.push(...Uploads.map(({ Key = '' }) => Key))
  client.destroy()
  const rows = await sql<{ id: number }[]>`select id from cases`
  const ids = new Set(rows.map(({ id }) => `${id}`))
  const caseOf = (key: string) => /^(?:video|script|analyze_report|export)\/[A-Z]+\/(\d+)\//.exec(key)?.[1]
  return keys.filter((key) => {
    const id = caseOf(key)
    return id !== undefined && !ids.has(id)
  })
}

const imports = (name: string, what: string, hostile: Hostile): Attack => ({
  name,
  what: `npm run import-case of ${Object.keys(hostile).length} files that no export is: ${what}`,
  async prepare(stage) {
    const folder = await mkdtemp('/var/tmp/playtherapy-imports-')
    const file = join(folder, 'case.zip')
    const bring = async (bytes: Uint8Array) => {
      await writeFile(file, bytes)
      return stage.run('import-case', [file, '--therapist', `${therapist}`])
    }
    const count = async () => {
      const [row] = await stage.sql<{ count: number }[]>`
        select count(*)::int from cases where user_id = ${therapist}`
      return row?.count
    }
    let good = await bring(archive(files()))
    // A worker that has just started still removes what earlier attacks have left, and an import does not wait for that.
    for (let tries = 1; good.code !== 0 && tries < 15; tries++) {
      await sleep(2_000)
      good = await bring(archive(files()))
    }
    if (good.code !== 0 || (await count()) !== 1) throw new Error(`a good file is refused: ${good.errors}`)
    await stage.sql`delete from cases where user_id = ${therapist}`
    const before = new Set(await ownerless(stage))
    return async () => {
      const wrong: string[] = []
      const peaks: [mebibytes: number, seconds: number, what: string][] = []
      try {
        for (const [what, bytes] of Object.entries(hostile)) {
          const { code, output, errors, seconds, peakBytes, oomKills } = await bring(bytes())
          peaks.push([Math.round(peakBytes / mebibyte), seconds, what])
          const isSentence = /^[^\n]{10,300}\. Nothing was imported\.\n$/.test(errors) && output === ''
          if (code === 1 && isSentence && oomKills === 0 && seconds < 60 && (await count()) === 0) continue
          wrong.push(`${what}: code ${code}, ${oomKills} OOM kills, ${seconds} s: ${(errors || output).slice(0, 150)}`)
          await stage.sql`delete from cases where user_id = ${therapist}`
        }
        const left = (await ownerless(stage)).filter((key) => !before.has(key))
        if (left.length > 0) wrong.push(`left ${left.join(', ')}`)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
      insist(wrong.length === 0, wrong.join('; '))
      const [largest] = peaks.toSorted(([a], [b]) => b - a)
      const [slowest] = peaks.toSorted(([, a], [, b]) => b - a)
      return `${peaks.length} refused; at most ${largest?.[0]} MiB (${largest?.[2]}), ${slowest?.[1]} s (${slowest?.[2]})`
    }
  },
})

/** Files for `npm run import-case` that no export is. */
export const importAttacks: Attack[] = [
  imports('import-case-archives', 'bombs, ways out, links, lies and cut files', packages),
  imports('import-case-documents', 'large, nested and odd documents', documents),
]
