/**
 * `npm run test:quick -- FILE…`: runs test files in seconds, against PostgreSQL and the folder store alone. Nothing is
 * linted or bundled, and neither an S3 server nor Redis is started: tests that need one of them are skipped, and a test
 * that starts a bundled program fails with a message that says so. Arguments are passed to tap.
 */
import { answerHelp } from './help.ts'
import { runTap } from './run-tap.ts'
import { startTestDatabase } from './servers/test-database.ts'

answerHelp('npm run test:quick -- FILE…: runs test files against PostgreSQL and the folder store alone.')
const args = process.argv.slice(2)
if (args.length === 0) {
  console.error('Name a test file: npm run test:quick -- services/script/test/save.test.ts')
  process.exit(2)
}
process.env.TEST_WITHOUT_PROGRAMS = '1'
const database = await startTestDatabase()
const code = await runTap(args)
await database.stop()
process.exit(code)
