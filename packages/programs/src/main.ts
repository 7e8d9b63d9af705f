/** `npm run build`: every program, bundled into `.build/programs`. */
import { buildPrograms } from './index.ts'

await buildPrograms()
