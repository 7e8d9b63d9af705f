import { existsSync } from 'node:fs'

/** Where the bundles of libraries are that tests load; they are made by `bundle.ts` before a run. */
export const folder = new URL('../../../../.build/libraries/', import.meta.url)

type Next = (specifier: string, context: object) => Promise<{ url: string }>

/** A hook of Node's module loader: finds typebox in its bundle, and everything else where it is. */
export async function resolve(specifier: string, context: object, next: Next) {
  if (specifier !== 'typebox' && !specifier.startsWith('typebox/')) return next(specifier, context)
  const file = new URL(`${specifier}.mjs`, folder)
  return existsSync(file) ? { url: file.href, format: 'module', shortCircuit: true } : next(specifier, context)
}
