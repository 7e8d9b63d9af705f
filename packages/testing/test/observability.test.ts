/** The alerts and the dashboard of `.docker/observability` use metrics that exist, and each alert is tested and explained. */
import { execFile } from 'node:child_process'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { Type } from 'typebox'
import { Parse } from 'typebox/value'
import { parse } from 'yaml'

const folder = fileURLToPath(new URL('../../../.docker/observability/', import.meta.url))
const read = (path: string) => readFile(join(folder, path), 'utf8')

const Rules = Type.Object({
  groups: Type.Array(
    Type.Object({
      rules: Type.Array(
        Type.Object({
          alert: Type.Optional(Type.String()),
          record: Type.Optional(Type.String()),
          expr: Type.String(),
          labels: Type.Optional(Type.Object({ severity: Type.Enum(['critical', 'warning']) })),
          annotations: Type.Optional(Type.Object({ summary: Type.String(), runbook_url: Type.String() })),
        }),
      ),
    }),
  ),
})
const Tests = Type.Object({
  tests: Type.Array(
    Type.Object({
      input_series: Type.Array(Type.Object({ series: Type.String() })),
      alert_rule_test: Type.Array(Type.Object({ alertname: Type.String(), exp_alerts: Type.Array(Type.Unknown()) })),
    }),
  ),
})
const Dashboard = Type.Object({
  panels: Type.Array(Type.Object({ title: Type.String(), targets: Type.Array(Type.Object({ expr: Type.String() })) })),
})

const rules = Parse(Rules, parse(await read('rules.yml'))).groups.flatMap((group) => group.rules)
const alerts = rules.filter((rule) => rule.alert !== undefined)
const { tests } = Parse(Tests, parse(await read('rules.test.yml')))
const { panels } = Parse(Dashboard, JSON.parse(await read('grafana/dashboards/playtherapy.json')))
const charts = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => ({ title, expr })))

/** Every name under which a value can be asked for: those of the catalogue, of Prometheus itself, and of the recording rules. */
const known = new Set([
  'up',
  ...rules.flatMap(({ record }) => record ?? []),
  ...[...(await read('metrics.md')).matchAll(/^\| `(\w+)` \| (\w+) \|/gm)].flatMap(([, name = '', type]) =>
    type === 'histogram' ? [`${name}_bucket`, `${name}_sum`, `${name}_count`] : [name],
  ),
])

/** Names of metrics in an expression: what is left without labels, texts, functions and words of the language. */
const metricsIn = (expr: string) =>
  [
    ...expr
      .replace(/"[^"]*"/g, '')
      .replace(/\{[^}]*\}|\[[^\]]*\]/g, '')
      .replace(/\b(by|without|on|ignoring|group_left|group_right) *\([^)]*\)/g, '')
      .matchAll(/[a-zA-Z_:][\w:]*(?![\w:]*\s*\()/g),
  ].flatMap(([name]) => (/^(and|or|unless|e\d*)$/.test(name) ? [] : [name]))

const run = (args: string[]) =>
  new Promise<{ code: number; text: string }>((resolve) => {
    execFile('promtool', args, (error, stdout, stderr) => {
      resolve({ code: error ? Number(error.code ?? -1) : 0, text: stdout + stderr })
    })
  })

t.test('every alert fires by a series and is silent by another one', async (t) => {
  t.match(await run(['check', 'rules', join(folder, 'rules.yml')]), { code: 0, text: `${rules.length} rules found` })
  t.match(await run(['test', 'rules', join(folder, 'rules.test.yml')]), { code: 0, text: 'SUCCESS' })
  const tested = tests.flatMap((test) => test.alert_rule_test)
  for (const { alert } of alerts) {
    const mine = tested.filter(({ alertname }) => alertname === alert)
    t.ok(
      mine.some(({ exp_alerts }) => exp_alerts.length > 0),
      `${alert} fires in a test`,
    )
    t.ok(
      mine.some(({ exp_alerts }) => exp_alerts.length === 0),
      `${alert} does not fire in another`,
    )
  }
})

t.test('every alert has a severity and a paragraph of the runbook, and every paragraph an alert', async (t) => {
  t.ok(alerts.length > 15, 'the alerts are read')
  const runbook = await read('runbook.md')
  const paragraphs = runbook
    .split(/^## .*$|^### /m)
    .flatMap((part) => (/^\w+\n\n/.test(part) ? [{ name: part.split('\n', 1)[0], text: part }] : []))
  t.strictSame(paragraphs.map(({ name }) => name).sort(), alerts.map(({ alert }) => alert).sort())
  for (const { name, text } of paragraphs) {
    for (const part of ['**Means**', '**Look**', '**Do**']) t.ok(text.includes(part), `${name} has ${part}`)
  }
  for (const { alert = '', labels, annotations } of alerts) {
    t.ok(labels?.severity, `${alert} has a severity`)
    t.equal(annotations?.runbook_url, `.docker/observability/runbook.md#${alert.toLowerCase()}`)
  }
})

t.test('rules, their tests and the dashboard name metrics of the catalogue only', async (t) => {
  t.ok(known.size > 60, 'the catalogue is read')
  t.strictSame(metricsIn('sum by (job) (rate(a_total{x="b"}[5m])) > 1e3 and c:d / 2 or absent(up)'), [
    'a_total',
    'c:d',
    'up',
  ])
  for (const { alert = '', record = alert, expr } of rules) {
    const names = metricsIn(expr)
    t.ok(names.length > 0, `${record} asks for something`)
    t.strictSame(
      names.filter((name) => !known.has(name)),
      [],
      record,
    )
  }
  for (const { title, expr } of charts) {
    t.strictSame(
      metricsIn(expr).filter((name) => !known.has(name)),
      [],
      title,
    )
  }
  for (const { series } of tests.flatMap((test) => test.input_series))
    t.ok(known.has(series.replace(/\{.*/, '')), series)
})

t.test('Prometheus can read every expression of the dashboard, and its own settings', async (t) => {
  const wrapped = charts.map(({ expr }, index) => ({ record: `panel:${index}`, expr }))
  const path = join(t.testdir(), 'panels.yml')
  await writeFile(path, JSON.stringify({ groups: [{ name: 'panels', rules: wrapped }] }))
  t.match(await run(['check', 'rules', path]), { code: 0, text: `${charts.length} rules found` })
  const settings = (await read('prometheus.yml')).replace('/etc/prometheus/', folder).replace('ym[l]', 'yml')
  const copy = join(t.testdir({ 'prometheus.yml': settings }), 'prometheus.yml')
  t.match(await run(['check', 'config', copy]), { code: 0, text: 'SUCCESS' })
})
