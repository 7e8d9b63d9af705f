/** The table of services/settings.md and docker-compose.yml, held to the schemas that the processes read. */
import { readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { fileURLToPath } from 'node:url'
import { ContentsConfig } from '@playtherapy/contents/config'
import { MediaConfig } from '@playtherapy/media/config'
import { ScriptConfig } from '@playtherapy/script/config'
import { StoreSettings } from '@playtherapy/service-kit'
import { WorkerConfig } from '@playtherapy/worker/config'
import t from 'tap'
import { type TObject, type TSchema, Type } from 'typebox'
import { parse } from 'yaml'

interface Setting {
  description?: string
  default?: unknown
  unless?: string[]
  requiredWith?: string[]
}

const processes = {
  contents: ContentsConfig,
  media: MediaConfig,
  script: ScriptConfig,
  // A worker's store is a folder only below `npm start`.
  worker: Type.Object({ ...WorkerConfig.properties, ...StoreSettings }),
}
const readRoot = (name: string) => readFileSync(fileURLToPath(new URL(`../../../${name}`, import.meta.url)), 'utf8')

function defaultOf(name: string, setting: TSchema & Setting, schema: TObject): string {
  if (setting.default !== undefined) return `\`${String(setting.default).replace(tmpdir(), '/tmp')}\``
  const others = (names: string[]) => names.map((other) => `\`${other}\``).join(' or ')
  if (setting.unless) return `required without ${others(setting.unless)}`
  if (setting.requiredWith) return `required with ${others(setting.requiredWith)}`
  return schema.required?.includes(name) ? 'required' : ''
}

/** Each variable's row as the table has to have it: name, processes, default, what its schema says of it. */
function rows(): string[] {
  const found = new Map<string, { readers: string[]; rest: string }>()
  for (const [reader, schema] of Object.entries(processes)) {
    const settings: Record<string, TSchema & Setting> = schema.properties
    for (const [name, setting] of Object.entries(settings)) {
      const row = found.get(name) ?? { readers: [], rest: '' }
      row.readers.push(reader)
      row.rest ||= `${defaultOf(name, setting, schema)} | ${setting.description}`
      found.set(name, row)
    }
  }
  const who = (readers: string[]) => {
    if (readers.length === 4) return 'all'
    return readers.length === 3 && !readers.includes('worker') ? 'services' : readers.join(', ')
  }
  return [...found].map(([name, { readers, rest }]) => `| \`${name}\` | ${who(readers)} | ${rest} |`)
}

t.test('the table has a row for every setting, and no other', async (t) => {
  const lines = readRoot('services/settings.md').split('\n')
  const start = lines.indexOf('| variable | processes | default | meaning |') + 2
  const table = lines.slice(start, lines.indexOf('', start))
  t.strictSame(table.toSorted(), rows().toSorted())
})

const settingNames = Object.values(processes).flatMap(({ properties }) => Object.keys(properties))

t.test('the table of Compose has a row for every other variable that it reads', async (t) => {
  const asked = [...readRoot('docker-compose.yml').matchAll(/\$\{(\w+):?[?-]/g)].map(([, name = '']) => name)
  const own = new Set(asked.filter((name) => !settingNames.includes(name)))
  const [, table = ''] = readRoot('services/settings.md').split('| variable | default | meaning |')
  t.strictSame([...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name).toSorted(), [...own].toSorted())
})

t.test('docker-compose.yml passes every setting on, and no other', async (t) => {
  // What a container is built for, and no operator's choice.
  const fixed =
    /^(HOST|PORT|QUEUE_PREFIX|S3_REGION|S3_FORCE_PATH_STYLE|SCRATCH_DIRECTORY|ENCODE_CONCURRENCY|FF\w+_PATH)$/
  const { services } = parse(readRoot('docker-compose.yml'), { merge: true })
  for (const [name, schema] of Object.entries(processes)) {
    const names = Object.keys(schema.properties).filter((setting) => !fixed.test(setting))
    t.strictSame(Object.keys(services[name].environment).toSorted(), names.toSorted(), name)
  }
})

t.test('the example settings name what docker-compose.yml asks for, with its secrets left empty', async (t) => {
  const example = [...readRoot('.docker/example.env').matchAll(/^(#?)([A-Z]\w+)=(.*)$/gm)]
  const asked = [...readRoot('docker-compose.yml').matchAll(/\$\{(\w+):([?-])/g)]
  const [required, optional] = ['?', '-'].map((kind) =>
    [...new Set(asked.flatMap(([, name, how]) => (how === kind ? [name] : [])))].toSorted(),
  )
  t.strictSame(example.flatMap(([, comment, name]) => (comment ? [] : [name])).toSorted(), required)
  t.strictSame(example.flatMap(([, comment, name]) => (comment ? [name] : [])).toSorted(), optional)
  t.strictSame(
    example.filter(([, comment, , value]) => !comment && value !== ''),
    [],
  )
})
