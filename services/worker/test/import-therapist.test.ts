/** For whom the command `import-case` imports a case. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { cases } from '@playtherapy/schema'
import { sourceOptions, testDatabase } from '@playtherapy/testing'
import { desc } from 'drizzle-orm'
import t from 'tap'
import { exported } from './import-support.ts'

const command = fileURLToPath(new URL('../src/commands/import-case.ts', import.meta.url))

t.test('every number that a token may name is one of a therapist', async (t) => {
  const { file } = await exported(t)
  const { db, url } = await testDatabase(t)
  const env = { ...process.env, DATABASE_URL: url, FILE_STORE_DIRECTORY: t.testdir(), PHASE: 'LOCAL' }
  const bring = (therapist: string) =>
    promisify(execFile)(process.execPath, [...sourceOptions, command, file, '--therapist', therapist], { env })
  t.match((await bring('2147483647')).stdout, /^case \d+ {2}sessions 1 {2}recordings 1/)
  t.match(await db.select().from(cases).orderBy(desc(cases.id)), [{ userId: 2_147_483_647 }])
  for (const other of ['2147483648', '0', '12a']) await t.rejects(bring(other), /It needs a therapist/)
})
