/** What is shipped names each package of others in it, and none of them asks for more than to be named. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Spec1dot6 } from '@cyclonedx/cyclonedx-library/Spec'
import { JsonStrictValidator } from '@cyclonedx/cyclonedx-library/Validation'
import { bundledFiles, thirdPartyFolder } from '@playtherapy/programs'
import satisfies from 'spdx-satisfies'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { noticesText, thirdPartiesOf } from '../src/third-party.ts'

/** Licences that allow closed use, as long as their texts and names go along. */
const permissive = [
  ...['0BSD', 'Apache-2.0', 'BlueOak-1.0.0', 'BSD-2-Clause', 'BSD-3-Clause', 'CC0-1.0', 'ISC', 'MIT', 'MIT-0'],
  ...['Python-2.0', 'Unlicense'],
]

const Inventory = Type.Object({
  components: Type.Array(
    Type.Object({ group: Type.Optional(Type.String()), name: Type.String(), version: Type.String() }),
  ),
})

/** Reads what `npm run build` has written of a bundle. */
async function written(bundle: 'programs' | 'console') {
  const read = (name: string) => readFile(join(thirdPartyFolder, name), 'utf8')
  const [inventory, notices] = await Promise.all([read(`${bundle}.cdx.json`), read(`${bundle}.txt`)])
  const listed = [...notices.matchAll(/^(\S+) (\d\S*): (.+)$/gm)].map(([, name = '', version = '', license = '']) => {
    return { id: `${name}@${version}`, license }
  })
  return { inventory, notices, listed }
}

t.test('the programs: every package of which a file is bundled is named, and no other', async (t) => {
  // pnpm keeps each package in a folder of its name and version, so that no manifest is asked.
  const folders = (await bundledFiles()).flatMap((file) => /node_modules\/\.pnpm\/([^/]+)\//.exec(file)?.[1] ?? [])
  const ids = folders.map((folder) => folder.replace(/(?<=.)[(_].*$/, '').replace('+', '/'))
  const { listed } = await written('programs')
  const copied = listed.filter(({ id }) => id.startsWith('swagger-ui-dist@'))
  t.equal(copied.length, 1, 'what is copied and not bundled')
  t.strictSame(
    listed
      .map(({ id }) => id)
      .filter((id) => id !== copied[0]?.id)
      .toSorted(),
    [...new Set(ids)].toSorted(),
  )
})

for (const bundle of ['programs', 'console'] as const) {
  t.test(`${bundle}: the inventory is valid, and names the same packages as the notices`, async (t) => {
    const { inventory, listed } = await written(bundle)
    t.equal(await new JsonStrictValidator(Spec1dot6.version).validate(inventory), null)
    const { components } = Value.Parse(Inventory, JSON.parse(inventory))
    const ids = components.map(({ group, name, version }) => `${group ? `${group}/` : ''}${name}@${version}`)
    t.strictSame(ids.toSorted(), listed.map(({ id }) => id).toSorted())
    t.ok(ids.length > 5, `${ids.length} packages`)
  })

  t.test(`${bundle}: every licence is permissive`, async (t) => {
    const { listed } = await written(bundle)
    t.strictSame(
      listed.filter(({ license }) => license === 'unknown' || !satisfies(license, permissive)),
      [],
    )
  })
}

t.test('the notices have what licences ask for: their texts, and who holds a copyright', async (t) => {
  const { notices } = await written('programs')
  for (const said of ['fastify 5.', 'Permission is hereby granted, free of charge', 'Apache License'])
    t.match(notices, said)
  t.match((await written('console')).notices, 'Copyright 2013 vtt.js Contributors', 'of a copy in hls.js')
})

t.test('a package in a package counts for itself, and a text that many have is there once', async (t) => {
  const text = 'Permission to use it.'
  const made = t.testdir({
    node_modules: {
      outer: {
        'package.json': JSON.stringify({ name: 'outer', version: '1.0.0', license: 'GPL-3.0-only' }),
        LICENSE: text,
        'index.js': '/* Copyright Somebody */\nexport const one = "/* no comment"',
        node_modules: {
          '@in': {
            ner: {
              'package.json': JSON.stringify({ name: '@in/ner', version: '2.0.0' }),
              'LICENCE.md': `${text}\r\n`,
              licenses: {},
              'index.js': '// Copyright\n// Somebody else\nexport const two = 2',
            },
          },
        },
      },
    },
    'own.js': '',
  })
  const [outer, inner] = ['node_modules/outer/index.js', 'node_modules/outer/node_modules/@in/ner/index.js']
  const input = { bytesInOutput: 1 }
  const output = { bytes: 1, exports: [], imports: [], inputs: { [outer]: input, [inner]: input, 'own.js': input } }
  const found = await thirdPartiesOf({ inputs: {}, outputs: { 'out.js': output } }, made)
  t.match(found, [
    { name: '@in/ner', license: 'unknown', notices: [`${text}\r\n`, '// Copyright\n// Somebody else'] },
    { name: 'outer', license: 'GPL-3.0-only', notices: [text, '/* Copyright Somebody */'] },
  ])
  t.notOk(satisfies('GPL-3.0-only', permissive), 'which a build with it would fail by')
  const all = noticesText(found)
  t.equal(all.split(text).length, 2, 'once')
  t.match(all, `@in/ner 2.0.0, outer 1.0.0\n\n${text}`)
})
