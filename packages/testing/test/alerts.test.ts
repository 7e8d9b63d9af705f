/** `npm run alerts` makes a fault for each alert, and its shorter rules are rules. It takes half an hour, so that it is no part of the tests. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { serverFaults } from '../src/alerts/faults-servers.ts'
import { workFaults } from '../src/alerts/faults-work.ts'
import { paragraphs } from '../src/alerts/runbook.ts'
import { scaledRules } from '../src/alerts/scaled.ts'

const folder = new URL('../../../.docker/observability/', import.meta.url)
const read = (name: string) => readFile(new URL(name, folder), 'utf8')
const faults = [...serverFaults, ...workFaults]

t.test('every alert has a fault, and a line in the table of what it did', async (t) => {
  const alerts = [...(await read('rules.yml')).matchAll(/- alert: (\w+)/g)].map(([, name]) => name)
  t.ok(alerts.length > 15)
  t.strictSame(faults.flatMap((fault) => fault.alerts).toSorted(), alerts.toSorted())
  const table = await read('faults.md')
  for (const alert of alerts) t.match(table, new RegExp(`^\\|.*\\b${alert} \\d+`, 'm'))
})

t.test('the commands that are followed are those of the runbook', async (t) => {
  const all = [...(await paragraphs()).values()].join(' ')
  for (const { look, commands } of faults) {
    for (const command of [...look.map(([each]) => each), ...commands]) t.ok(all.includes(command), command)
  }
})

t.test('the shorter rules are rules, with every time divided', async (t) => {
  const text = scaledRules(await read('rules.yml'))
  const path = join(t.testdir(), 'rules.yml')
  await writeFile(path, text)
  const checked = await new Promise<string>((resolve) => {
    execFile('promtool', ['check', 'rules', path], (_error, stdout, stderr) => resolve(stdout + stderr))
  })
  t.match(checked, 'SUCCESS')
  t.match(text, /queue_oldest_job_seconds[^<>]*> 30\s+unless/, 'an age before a condition')
  t.match(text, /webhook_oldest_seconds\) > 90\n/, 'an age')
  t.match(text, 'token_keys_age_seconds) > 900', 'the age that the rules do not decide')
  t.match(text, 'predict_linear(scratch_free_bytes[1080000ms], 4320)')
  t.notMatch(text, /for: \d+[mh]\b|\[\d+[mhd]\]/)
})
