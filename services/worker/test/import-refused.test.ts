/** Files that are not as they were exported, which leave nothing. */
import { execFile } from 'node:child_process'
import { readFile, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { elsewhere, exported, nothing } from './import-support.ts'

/** Copies an archive by Python, which lets a line of code change it. */
const program = `
import sys, json, zipfile, hashlib
source, target, change = sys.argv[1:4]
files = {}
with zipfile.ZipFile(source) as z:
    for i in z.infolist(): files[i.filename] = z.read(i)
kind = zipfile.ZIP_STORED
twice = []
def manifest(edit):
    m = json.loads(files['manifest.json']); edit(m); files['manifest.json'] = json.dumps(m).encode()
def edit(name, change):
    d = json.loads(files[name]); change(d); put(name, json.dumps(d))
def put(name, text):
    files[name] = text.encode(); manifest(lambda m: m.update(files=[f for f in m['files'] if f['path'] != name])); listed(name)
def listed(name):
    manifest(lambda m: m['files'].append({'path': name, 'size': len(files[name]), 'sha256': hashlib.sha256(files[name]).hexdigest()}))
exec(change)
with zipfile.ZipFile(target, 'w', kind) as z:
    for name, data in files.items(): z.writestr(zipfile.ZipInfo(name) if kind == zipfile.ZIP_STORED else name, data)
    for name, data in twice: z.writestr(zipfile.ZipInfo(name), data)
`

t.test('files that are not as they were exported are refused, and nothing is left', async (t) => {
  const from = await exported(t)
  const to = await elsewhere(t)
  const script = `sessions/${from.seeded.sessionId}/scripts/script_v1.json`
  const session = `sessions/${from.seeded.sessionId}/session.json`
  const report = `sessions/${from.seeded.sessionId}/reports/report_v1.json`
  const changes: Record<string, [change: string, refusal: RegExp]> = {
    'packed again': ['kind = zipfile.ZIP_DEFLATED', /packed again/],
    'a bomb': ['kind = zipfile.ZIP_DEFLATED; files["case.json"] = b"0" * 50_000_000; ', /packed again/],
    'a changed script': [`files['${script}'] = files['${script}'].replace(b'T', b'C')`, /script_v1\.json was changed/],
    'changed captions, which are not imported': [
      `n = '${script}'.replace('json', 'vtt'); files[n] = files[n].replace(b'T', b'V')`,
      /vtt was changed/,
    ],
    'another size': [`files['${script}'] += b' '`, /another size/],
    'a missing file': [`del files['${script}']`, /other files than its manifest/],
    'a file more': ["files['audit.jsonl2'] = b''", /a name in it that no export has/],
    'a way out': ["files['../../etc/passwd'] = b'x'; listed('../../etc/passwd')", /damaged|no export has/],
    'an absolute name': ["files['/etc/passwd'] = b'x'; listed('/etc/passwd')", /damaged|no export has/],
    'a name of Windows': ["files['C:\\\\x'] = b'x'; listed('C:\\\\x')", /damaged|no export has/],
    'a name twice': ["twice = [('case.json', files['case.json'])]", /a name twice/],
    'a newer version': ['manifest(lambda m: m.update(version=2))', /newer release/],
    'another format': ["manifest(lambda m: m.update(format='other'))", /manifest\.json is not as an export has it/],
    'no manifest': ["del files['manifest.json']", /manifest\.json is missing/],
    'no JSON': ["files['manifest.json'] = b'{'", /no JSON/],
    'another document': [
      `d = json.loads(files['${session}']); d['encoding_state_id'] = 9; files['${session}'] = json.dumps(d).encode(); manifest(lambda m: m.update(files=[f for f in m['files'] if f['path'] != '${session}'])); listed('${session}')`,
      /session\.json is not as an export has it/,
    ],
    'a name of 201 characters': ["edit('case.json', lambda d: d.update(family_name='x' * 201))", /a name of more than/],
    'a name with a NUL': ["edit('case.json', lambda d: d.update(given_name='a\\x00b'))", /case\.json is no JSON that/],
    'a name with half a pair': [
      "edit('case.json', lambda d: d.update(family_name='\\ud800'))",
      /case\.json is no JSON that/,
    ],
    'a description with a NUL': [
      "edit('case.json', lambda d: d.update(description={'a': ['\\x00']}))",
      /case\.json is no JSON that/,
    ],
    'a description for a prototype': [
      `edit('case.json', lambda d: d.update(description={'__proto__': {'a': 1}}))`,
      /case\.json is no JSON that/,
    ],
    'a description that is nested 100,000 times': [
      `edit('case.json', lambda d: d.update(description={'a': 'HERE'})); put('case.json', files['case.json'].decode().replace('"HERE"', '[' * 100_000 + ']' * 100_000))`,
      /case\.json is no JSON that/,
    ],
    'a session with a NUL': [`edit('${session}', lambda d: d.update(name='\\x00'))`, /session\.json is no JSON that/],
    'a recording whose name has half a pair': [
      `edit('${session}', lambda d: d['recordings'][0].update(file_name='\\udc00.mp4'))`,
      /session\.json is no JSON that/,
    ],
    'a manifest of ten million values': [
      `files['manifest.json'] = b'[' + b'1,' * 10_000_000 + b'1]'`,
      /manifest\.json is no JSON that/,
    ],
    'a session with such a name': [`edit('${session}', lambda d: d.update(name='x' * 201))`, /a name of more than/],
    'a large description': [
      "edit('case.json', lambda d: d.update(description={'a': 'x' * 16_400}))",
      /description has/,
    ],
    'a large script': [`put('${script}', '{"scripts":[]}' + ' ' * 20 * 1024 ** 2)`, /script_v1\.json is too large/],
    'a record that is none': [`put('${script}', '{"scripts":[null]}')`, /script_v1\.json is not as/],
    'a script for a prototype': [
      `put('${script}', '{"scripts":[],"__proto__":{}}')`,
      /script_v1\.json is no JSON that/,
    ],
    'a large report': [`put('${report}', '{"reports":{}}' + ' ' * 5 * 1024 ** 2)`, /report_v1\.json is too large/],
    'another report': [`put('${report}', '{"reports":{"a":{}}}')`, /report_v1\.json is not as/],
    'a last version before the first': [
      `edit('${session}', lambda d: d.update(last_script_version=0))`,
      /after its last/,
    ],
    'a last version without another': [
      `edit('${session}', lambda d: d.update(last_script_version=2147483647))`,
      /is not as an/,
    ],
    ...Object.fromEntries(
      ['2024-02-31', '2023-02-29', '2024-13-01', '2024-00-10', '2024-04-31', '0000-01-01', '1900-01-01'].map((day) => [
        `the day ${day}`,
        [
          `edit('${session}', lambda d: d.update(created_at='${day}T00:00:00.000Z'))`,
          /session\.json is not as/,
        ] satisfies [string, RegExp],
      ]),
    ),
    'the hour 24': [
      "edit('case.json', lambda d: d.update(created_at='2024-01-01T24:00:00.000Z'))",
      /case\.json is not/,
    ],
    'more warnings than a script has': [
      `edit('${session}', lambda d: d['scripts'][0].update(warnings=d['scripts'][0]['warnings'] * 101))`,
      /session\.json is not as/,
    ],
    'a length of before that is none': [
      `edit('${session}', lambda d: d.update(previous_video_length='x' * 16_000))`,
      /session\.json is not as/,
    ],
    'a long failure': [
      `edit('${session}', lambda d: d['recordings'][0].update(failure='x' * 1_001))`,
      /session\.json is not as/,
    ],
    'a failure that speaks to the terminal': [
      `edit('${session}', lambda d: d['recordings'][0].update(failure='\\x1b[2J'))`,
      /session\.json is not as/,
    ],
    'a missing file whose name speaks to the terminal': [
      "manifest(lambda m: m['missing'].append({'path': '\x1b]52;c;eA==\x07'}))",
      /^manifest\.json is not as/,
    ],
    'a listed file whose name speaks to the terminal': [
      "manifest(lambda m: m['files'][0].update(path='\x1b]52;c;eA==\x07'))",
      /^manifest\.json is not as/,
    ],
    'more missing files than an export has': [
      "manifest(lambda m: m.update(missing=[{'path': 'case.json'}] * 100_001))",
      /^manifest\.json is not as/,
    ],
    'a version twice': [`edit('${session}', lambda d: d['scripts'].append(d['scripts'][0]))`, /version twice/],
    'a hash of another file': [
      `manifest(lambda m: [f.update(sha256='0' * 64) for f in m['files'] if f['path'] == '${script}'])`,
      /script_v1\.json was changed/,
    ],
  }
  for (const [what, [change, refusal]] of Object.entries(changes)) {
    const file = join(from.folder, 'changed.zip')
    await promisify(execFile)('python3', ['-W', 'ignore', '-c', program, from.file, file, change])
    await t.rejects(to.bring(file), { name: 'ImportError', message: refusal }, what)
    t.strictSame(await to.left(), nothing, what)
  }

  const bytes = await readFile(from.file)
  const damaged = join(from.folder, 'damaged.zip')
  for (const at of [bytes.indexOf('original'), bytes.indexOf('encoded', bytes.indexOf('originalorig'))]) {
    const copy = Buffer.from(bytes)
    copy[at + 5_000] = (copy[at + 5_000] ?? 0) ^ 1
    await writeFile(damaged, copy)
    await t.rejects(to.bring(damaged), { name: 'ImportError' }, 'a bit of a recording')
    t.strictSame(await to.left(), nothing)
  }
  for (const length of [0, 10, bytes.length / 2, bytes.length - 1]) {
    await writeFile(damaged, bytes)
    await truncate(damaged, Math.floor(length))
    await t.rejects(to.bring(damaged), { name: 'ImportError', message: /damaged or cut off/ }, `cut off at ${length}`)
  }
  await t.rejects(to.bring(join(from.folder, 'none.zip')), { name: 'ImportError', message: /cannot be read/ })
  t.strictSame(await to.left(), nothing)
})
