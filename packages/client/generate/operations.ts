import { type Static, Type } from 'typebox'
import { Value } from 'typebox/value'

const Named = Type.Object({ name: Type.String(), in: Type.String(), required: Type.Optional(Type.Boolean()) })
const Example = Type.Object({ value: Type.Unknown() })
const Content = Type.Record(
  Type.String(),
  Type.Object({ schema: Type.Optional(Type.Unknown()), examples: Type.Optional(Type.Record(Type.String(), Example)) }),
)
const Response = Type.Object({
  content: Type.Optional(Content),
  headers: Type.Optional(Type.Record(Type.String(), Type.Object({ schema: Type.Object({ type: Type.String() }) }))),
})
const Operation = Type.Object({
  operationId: Type.String(),
  summary: Type.String(),
  security: Type.Array(Type.Unknown()),
  parameters: Type.Optional(Type.Array(Named)),
  requestBody: Type.Optional(Type.Object({ content: Content, required: Type.Optional(Type.Boolean()) })),
  responses: Type.Record(Type.String(), Response),
})
const Refused = Type.Object({ error_code: Type.Integer() })
type Operation = Static<typeof Operation>
const Document = Type.Object({ paths: Type.Record(Type.String(), Type.Record(Type.String(), Operation)) })

const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1)
/** `script-version` becomes `scriptVersion`. */
const camel = (header: string) => header.toLowerCase().replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())
const jsTypes: Record<string, string> = { integer: 'number' }

/** How a body is sent or an answer is read, by its content type. */
function kindOf(content: Record<string, unknown> | undefined): 'json' | 'form' | 'text' | 'bytes' | 'none' {
  const [type] = Object.keys(content ?? {})
  if (type === undefined) return 'none'
  if (type.endsWith('json')) return 'json'
  if (type === 'multipart/form-data' || type === 'application/x-www-form-urlencoded') return 'form'
  return type.startsWith('text/') && type !== 'text/event-stream' ? 'text' : type.endsWith('mpegurl') ? 'text' : 'bytes'
}

/** A row of the table, and the line of the interface, of one operation. */
function describe(path: string, method: string, operation: Operation) {
  const { operationId, summary, parameters = [], requestBody, responses, security } = operation
  const [, name = ''] = operationId.split('.')
  const type = operationId.split('.').map(capital).join('')
  const [status = '', success = {}] = Object.entries(responses).find(([code]) => code.startsWith('2')) ?? []
  const names = (place: string) => parameters.filter((parameter) => parameter.in === place).map(({ name }) => name)
  const headers = Object.entries(success.headers ?? {})
  // A file is returned as the response: read as a text it would lose the byte order mark that spreadsheets need.
  const isFile = headers.some(([name]) => name.toLowerCase() === 'content-disposition')
  const gives = isFile ? 'bytes' : kindOf(success.content)
  const row = {
    method: method.toUpperCase(),
    path,
    ...(security.length === 0 && { open: true }),
    ...(names('query').length > 0 && { query: names('query') }),
    ...(names('header').length > 0 && { headers: names('header') }),
    ...(requestBody && { body: Object.keys(requestBody.content)[0] }),
    gives,
    ...(headers.length > 0 &&
      gives !== 'bytes' && {
        answers: Object.fromEntries(
          headers.map(([header, { schema }]) => [header.toLowerCase(), jsTypes[schema.type] ?? 'string']),
        ),
      }),
  }
  const data =
    gives === 'bytes'
      ? 'Response'
      : gives === 'text'
        ? 'string'
        : gives === 'none'
          ? 'void'
          : `types.${type}Responses[${status}]`
  const told = headers.map(([header, { schema }]) => `${camel(header)}: ${jsTypes[schema.type] ?? 'string'}`)
  const answer = gives === 'bytes' || told.length === 0 ? data : `{ data: ${data}; ${told.join('; ')} }`
  const codes = Object.values(responses).flatMap(({ content }) =>
    Object.values(content?.['application/json']?.examples ?? {}).flatMap(({ value }) =>
      Value.Check(Refused, value) ? [value.error_code] : [],
    ),
  )
  const isNeeded = requestBody?.required || parameters.some(({ required }) => required)
  const call = (takes: string, returns: string) =>
    `    ${name}(request${isNeeded ? '' : '?'}: ${takes}, options?: CallOptions): Promise<${returns}>`
  return {
    group: operationId.split('.')[0] ?? '',
    row: `    ${name}: ${JSON.stringify(row)},`,
    codes: `  '${operationId}': ${[...new Set(codes)].sort((a, b) => a - b).join(' | ') || 'never'}`,
    line: [
      `    /** ${summary} */`,
      // The response 304 without data is possible only for a request with `if-none-match`.
      ...(responses['304'] && names('header').includes('if-none-match') && gives !== 'bytes'
        ? [
            call(
              `Request<types.${type}Data> & { 'if-none-match': string }`,
              answer.replace('data: ', 'data: undefined | '),
            ),
          ]
        : []),
      call(`Request<types.${type}Data>`, answer),
    ].join('\n'),
  }
}

/**
 * Writes operations.gen.ts, what is to be sent for each operation and the interface of the client, by groups; and codes.gen.ts, what
 * each operation may be refused with.
 */
export function operationsOf(document: object): { operations: string; codes: string } {
  const { paths } = Value.Parse(Document, document)
  const all = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => describe(path, method, operation)),
  )
  const groups = [...new Set(all.map(({ group }) => group))]
  const grouped = (part: 'row' | 'line') =>
    groups.map(
      (group) =>
        [
          group,
          all
            .filter((one) => one.group === group)
            .map((one) => one[part])
            .join('\n'),
        ] as const,
    )
  const made = '// Made from the OpenAPI document by `npm run generate-client`: change the routes, not this file.'
  const codes = `${made}
/** The codes of services/contract.md, "Errors", that each operation may be refused with. */
export interface ErrorCodes {
${all.map((one) => one.codes).join('\n')}
}
`
  const operations = `${made}
import type { CallOptions, Request } from '../call.ts'
import type * as types from './types.gen.ts'

export interface Api {
${grouped('line')
  .map(([group, lines]) => `  ${group}: {\n${lines}\n  }`)
  .join('\n')}
}

export const operations = {
${grouped('row')
  .map(([group, rows]) => `  ${group}: {\n${rows}\n  },`)
  .join('\n')}
}
`
  return { operations, codes }
}
