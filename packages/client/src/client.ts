import { type ClientOptions, call, type Operation } from './call.ts'
import { type Api, operations } from './generated/operations.gen.ts'

/**
 * A client of all services: `client.cases.list({ keyword: 'ji' })`. Each call takes the parameters of its operation by
 * name, its body as `body`, and `{ signal }` as a second argument.
 */
export function createClient(options: ClientOptions): Api {
  const groups: [string, Record<string, Operation>][] = Object.entries(operations)
  const api = groups.map(([group, calls]) => [
    group,
    Object.fromEntries(
      Object.entries(calls).map(([name, operation]) => [
        name,
        (request?: Record<string, unknown>, callOptions?: object) => call(options, operation, request, callOptions),
      ]),
    ),
  ])
  return Object.fromEntries(api)
}
