import { METHODS } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { errors } from './errors.ts'

/**
 * Answers requests for a known path with a method that it does not take by `errors.methodNotAllowed` (405), before a token
 * is asked for. Known are the paths of all routes between this call and the call of the function that it returns.
 */
export function installMethods(host: FastifyInstance): () => void {
  // A CONNECT request never reaches a route.
  const added = METHODS.filter((method) => method !== 'CONNECT' && !host.supportedMethods.includes(method))
  for (const method of added) host.addHttpMethod(method)
  const paths = new Set<string>()
  let isComplete = false
  host.addHook('onRoute', ({ url }) => {
    if (!isComplete) paths.add(url)
  })
  return () => {
    isComplete = true
    // CORS answers OPTIONS for every path.
    paths.delete('*')
    for (const url of paths) {
      const isTaken = (method: string) => method === 'OPTIONS' || host.hasRoute({ url, method })
      const allow = host.supportedMethods.filter(isTaken).sort()
      const others = host.supportedMethods.filter((method) => !isTaken(method))
      if (others.length === 0) continue
      host.route({
        method: others,
        url,
        exposeHeadRoute: false,
        schema: { hide: true },
        onRequest: async () => {
          throw errors.methodNotAllowed(allow)
        },
        handler: () => {},
      })
    }
  }
}
