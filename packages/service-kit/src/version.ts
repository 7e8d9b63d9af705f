import manifest from '../../../package.json' with { type: 'json' }

/**
 * Which software this is: the version of the root package.json, and the commit that a bundle was built from
 * (packages/programs puts it in place of the variable), or `unknown` where the sources run as they are.
 */
export const build = { version: manifest.version, commit: process.env.BUILD_COMMIT ?? 'unknown' }
