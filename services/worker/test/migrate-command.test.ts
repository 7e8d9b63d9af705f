/** What the command `migrate` does with `AUDIT_YEARS`. */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { sourceOptions, testDatabase } from '@playtherapy/testing'
import t from 'tap'

const command = fileURLToPath(new URL('../src/commands/migrate.ts', import.meta.url))

t.test('the audit trail is kept for as long as before, and a shorter time is told', async (t) => {
  const { sql, url } = await testDatabase(t)
  const migrate = async (AUDIT_YEARS?: string) => {
    const env = { ...process.env, DATABASE_URL: url, AUDIT_YEARS }
    const { stdout } = await promisify(execFile)(process.execPath, [...sourceOptions, command], { env })
    return stdout
  }
  const years = async (): Promise<unknown> => (await sql`select audit_years from installation`)[0]?.audit_years
  t.equal(await years(), 6, 'at first')
  t.notMatch(await migrate('10'), /drop/)
  t.equal(await years(), 10)
  for (const unset of [undefined, '']) {
    t.notMatch(await migrate(unset), /drop/)
    t.equal(await years(), 10)
  }
  t.match(await migrate('8'), /kept for 8 years from now on, and was kept for 10: workers drop what is older/)
  t.equal(await years(), 8)
  t.notMatch(await migrate('8'), /drop/)
  await t.rejects(migrate('0'), /AUDIT_YEARS must be >= 1/)
})
