import { readFile } from 'node:fs/promises'
import { generate } from '@playtherapy/client/generate'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import spectral from '@stoplight/spectral-core'
import rulesets from '@stoplight/spectral-rulesets'
import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { openApiDocument } from '../src/document.ts'

const Content = Type.Record(
  Type.String(),
  Type.Object({
    schema: Type.Optional(Type.Object({ examples: Type.Optional(Type.Unknown()), $ref: Type.Optional(Type.String()) })),
    example: Type.Optional(Type.Unknown()),
    examples: Type.Optional(Type.Record(Type.String(), Type.Object({ value: Type.Unknown() }))),
  }),
)
const Operation = Type.Object({
  operationId: Type.Optional(Type.String()),
  summary: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Array(Type.String())),
  requestBody: Type.Optional(Type.Object({ content: Content })),
  parameters: Type.Optional(
    Type.Array(
      Type.Object({
        name: Type.String(),
        in: Type.String(),
        description: Type.Optional(Type.String()),
        schema: Type.Object({ type: Type.String() }),
      }),
    ),
  ),
  responses: Type.Record(Type.String(), Type.Object({ content: Type.Optional(Content) })),
})
const Document = Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)) })
const Refusal = Type.Object({ message: Type.String(), error_code: Type.Integer() })

const document = await openApiDocument()
const operations = Object.entries(Value.Parse(Document, document).paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
)

/** Recordings, pictures and archives: nobody reads those. */
const unread = new Set(['video/mp4', 'audio/mp4', 'image/jpeg', 'application/zip'])
/** Answers that are a number, a text or a truth, and so no noun. */
const plain =
  /(countPages|delete|retry|refresh|Playlist|getMaster|getStoryboard|getCaptions|exportVtt|exportSrt|exportTxt|exportCsv|exportXlsx)$/

t.test('every route is described, with an example of each body and each response', async (t) => {
  const gaps: string[] = []
  for (const { path, method, ...operation } of operations) {
    const gap = (what: string) => gaps.push(`${method} ${path}: ${what}`)
    if (!operation.summary) gap('summary')
    if (!operation.tags?.length) gap('tag')
    if (!/^[a-z]+[A-Za-z]*\.[a-z][A-Za-z0-9]*$/.test(operation.operationId ?? '')) gap('operationId')
    for (const { name, description, schema } of operation.parameters ?? []) {
      if (!description) gap(`parameter ${name}`)
      if (/_id$/.test(name) && name !== 'upload_id' && name !== 'last_event_id' && schema.type !== 'integer')
        gap(`type of ${name}`)
    }
    const takesNothing =
      ['get', 'head', 'delete', 'options'].includes(method) ||
      /\/(restore|playback|ticket|link|retry|verify|refresh)$/.test(path)
    if (!takesNothing && !operation.requestBody) gap('body')
    const contents = Object.entries(operation.responses).map(([status, { content }]) => [status, content] as const)
    for (const [where, content] of [['body', operation.requestBody?.content] as const, ...contents]) {
      for (const [type, { schema, example, examples }] of Object.entries(content ?? {})) {
        if (!unread.has(type) && !example && !examples && !schema?.examples) gap(`example of ${where} as ${type}`)
        const isNoun = type === 'application/json' && Number(where) < 300 && !plain.test(operation.operationId ?? '')
        if (isNoun && !/"\$ref"/.test(JSON.stringify(schema))) gap(`name of what ${where} answers`)
      }
    }
  }
  t.same(gaps, [])
  t.ok(operations.length > 60)
  t.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length)
})

/** The paths of ids in bodies that are not described as an int4: `at` is the way to `value`. */
function looseIds(value: unknown, at: string): string[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, child]) => {
    const path = `${at}/${key}`
    const isId = at.endsWith('/properties') && /(^|_)id$/.test(key)
    const isLoose =
      isId && /"integer"/.test(JSON.stringify(child)) && !/"format":"int(32|64)"/.test(JSON.stringify(child))
    return [...(isLoose ? [path] : []), ...looseIds(child, path)]
  })
}

t.test('ids in bodies are described by their size, as those in paths are', async (t) => {
  t.same(looseIds(document, ''), [])
})

t.test('every error of an operation has an example of its own', async (t) => {
  for (const { method, path, responses } of operations) {
    const refusals = Object.entries(responses).filter(([status]) => Number(status) >= 400)
    t.ok(refusals.length > 0, `${method} ${path}`)
    const shown = refusals.flatMap(([, { content }]) =>
      Object.values(content?.['application/json']?.examples ?? {}).map(({ value }) => Value.Parse(Refusal, value)),
    )
    t.ok(shown.length >= refusals.length, `${method} ${path}: an example of each status`)
    t.equal(
      new Set(shown.map((body) => JSON.stringify(body))).size,
      shown.length,
      `${method} ${path}: no example twice`,
    )
  }
})

t.test('the recommended rules of Redocly and of Spectral find nothing', async (t) => {
  const config = await createConfig({ extends: ['recommended'] })
  const problems = await lintFromString({ source: JSON.stringify(document), absoluteRef: '/openapi.json', config })
  t.same(
    problems.map(({ ruleId, message, location }) => ({ ruleId, message, pointer: location[0]?.pointer })),
    [],
  )
  const linter = new spectral.Spectral()
  linter.setRuleset(new spectral.Ruleset({ extends: [[rulesets.oas, 'recommended']] }))
  t.same(await linter.run({ ...document }), [])
})

t.test('the client is that of the document; `npm run generate-client` writes it anew', async (t) => {
  for (const [name, text] of Object.entries(await generate(document))) {
    t.equal(await readFile(new URL(`../../client/src/generated/${name}`, import.meta.url), 'utf8'), text, name)
  }
})
