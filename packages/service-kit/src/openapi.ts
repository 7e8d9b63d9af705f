import { Type } from 'typebox'

/** How an id is described: an int4 of PostgreSQL. For bodies: `Type.Integer(int32)`. */
export const int32 = { type: 'integer', format: 'int32' }

/**
 * A number in a path, a query or a header: it arrives as text, which has this pattern, and the OpenAPI document shows it as
 * `describedAs`. Only text is checked, because coercion would accept `1e3` and an empty text.
 */
export const numberText = (pattern: string, description: string, describedAs: object = { type: 'integer' }) =>
  Type.String({ pattern, description, describedAs })

/** Parts of a schema whose values are data, in which `title` would be a key of somebody's and not a name. */
const data = new Set(['example', 'examples', 'default', 'const', 'enum', 'x-examples'])

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a request may go without this body. */
const isOptional = (media: unknown) => isObject(media) && isObject(media.schema) && media.schema.isOptional === true

/** What the document says of an operation that its route leaves out. */
function finishOperation(operation: Record<string, unknown>): void {
  // The library appends this to the name of a HEAD, in case it was given to GET and HEAD alike.
  operation.operationId = String(operation.operationId).replace(/-head$/, '')
  operation.description ??= `${operation.summary}.`
  // It takes no token.
  operation.security ??= []
}

/**
 * Gives names to the nouns of an OpenAPI document: a schema with a `title` becomes a component of that name, wherever it
 * stands, and a reference takes its place. Throws when two different schemas have one title. It leaves `document` as it is.
 */
export function nameSchemas<Document extends object>(document: Document): Document {
  const named = new Map<string, { schema: unknown; text: string }>()

  const visit = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(visit)
    if (!isObject(value)) return value
    if ('describedAs' in value) return value.describedAs
    // Errors are one noun, with the codes that it may have here.
    if (Array.isArray(value.errorCodes)) {
      const { errorCodes, ...noun } = value
      const code = { type: 'object', required: ['error_code'], properties: { error_code: { enum: errorCodes } } }
      return { allOf: [visit(noun), code] }
    }
    const { title, isOptional: _, ...rest } = value
    const copy = Object.fromEntries(
      Object.entries(rest).map(([key, child]) => [key, data.has(key) ? child : visit(child)]),
    )
    if (isObject(rest.schema) && typeof rest.schema.title === 'string' && Array.isArray(rest.schema.examples)) {
      copy.example ??= rest.schema.examples[0]
    }
    if (typeof copy.operationId === 'string') finishOperation(copy)
    if (isObject(rest.content) && Object.values(rest.content).some(isOptional)) copy.required = false
    if (typeof title !== 'string') return title === undefined ? copy : { ...copy, title: visit(title) }
    // The library moves the examples of some schemas to the bodies that they describe, and this function those of the others.
    const { examples, ...schema } = copy
    const text = JSON.stringify(schema)
    const known = named.get(title)
    if (known && known.text !== text) throw new Error(`two schemas have the title ${title}`)
    named.set(title, { schema, text })
    return { $ref: `#/components/schemas/${title}` }
  }

  const { paths, components } = Object.assign({ paths: {}, components: {} }, document)
  const visited = visit(paths)
  const schemas = Object.fromEntries([...named].sort().map(([title, { schema }]) => [title, schema]))
  return { ...document, paths: visited, components: { ...components, schemas } }
}
