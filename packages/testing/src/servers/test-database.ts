import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { migrate } from '@playtherapy/schema/migrate'
import { prepareTemplate } from '../database.ts'

/**
 * Starts the PostgreSQL server of one test run in a temporary folder, prepares the template database, and sets
 * TEST_DATABASE_URL for the processes that start afterwards. `stop` ends the server and removes the folder.
 */
export async function startTestDatabase(): Promise<{ directory: string; stop: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'playtherapy-test-'))
  // For root, PostgreSQL runs as another user, who needs access to this folder.
  await chmod(directory, 0o755)
  const server = await startPostgres({
    directory: join(directory, 'postgres'),
    settings: ['fsync=off', 'synchronous_commit=off', 'full_page_writes=off'],
  })
  process.env.TEST_DATABASE_URL = server.url
  await prepareTemplate(migrate)
  return {
    directory,
    async stop() {
      await server.stop()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
