import t from 'tap'
import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { testServices } from './support.ts'

const Content = Type.Record(
  Type.String(),
  Type.Object({
    schema: Type.Optional(Type.Object({ examples: Type.Optional(Type.Unknown()), $ref: Type.Optional(Type.String()) })),
    example: Type.Optional(Type.Unknown()),
    examples: Type.Optional(Type.Unknown()),
  }),
)
const Operation = Type.Object({
  summary: Type.Optional(Type.String()),
  tags: Type.Optional(Type.Array(Type.String())),
  requestBody: Type.Optional(Type.Object({ content: Content })),
  parameters: Type.Optional(
    Type.Array(Type.Object({ name: Type.String(), in: Type.String(), description: Type.Optional(Type.String()) })),
  ),
  responses: Type.Record(Type.String(), Type.Object({ content: Type.Optional(Content) })),
})
const Document = Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)) })

/** Recordings and workbooks: nobody reads those. */
const unread = new Set(['video/mp4', 'audio/mp4', 'image/jpeg'])

t.test('every route is described, with an example of each body and each response', async (t) => {
  const { url } = await testServices(t)
  const { paths } = Value.Parse(Document, await (await fetch(`${url}/documentation/json`)).json())
  const gaps: string[] = []
  for (const [path, methods] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const gap = (what: string) => gaps.push(`${method} ${path}: ${what}`)
      if (!operation.summary) gap('summary')
      if (!operation.tags?.length) gap('tag')
      for (const { name, description } of operation.parameters ?? []) if (!description) gap(`parameter ${name}`)
      const takesNothing =
        ['get', 'head', 'delete', 'options'].includes(method) || /\/(restore|playback|ticket|retry)$/.test(path)
      if (!takesNothing && !operation.requestBody) gap('body')
      const contents = Object.entries(operation.responses).map(([status, { content }]) => [status, content] as const)
      for (const [where, content] of [['body', operation.requestBody?.content] as const, ...contents]) {
        for (const [type, { schema, example, examples }] of Object.entries(content ?? {})) {
          if (!unread.has(type) && !example && !examples && !schema?.examples) gap(`example of ${where} as ${type}`)
        }
      }
    }
  }
  t.same(gaps, [])
  t.ok(Object.keys(paths).length > 30)
})
