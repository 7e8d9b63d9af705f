/** `npm run build`: every program, bundled into `.build/programs`. */
import { buildPrograms } from './index.ts'

if (process.argv.length > 2)
  console.log('npm run build: bundles every program, with its libraries, into .build/programs.')
else await buildPrograms()
