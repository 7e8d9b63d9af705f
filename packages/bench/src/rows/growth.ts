import { join } from 'node:path'
import { startPostgres } from '@playtherapy/embedded-postgres'
import { migrate } from '@playtherapy/schema/migrate'
import postgres from 'postgres'
import { type Amounts, big, small } from '../growth/amounts.ts'
import { fill } from '../growth/fill.ts'
import { chooseAllReaders, measureReads } from '../growth/measure-reads.ts'
import { letWork, measureCommands } from '../growth/measure-work.ts'
import { countStatements, inTable, rising, statementSettings } from '../growth/statements.ts'
import { figure } from '../measure.ts'
import type { Row } from '../row.ts'

/** Filling is faster without, and statistics are made when all is there. */
const settings = ['shared_buffers=512MB', 'max_wal_size=2GB', 'autovacuum=off', ...statementSettings]

async function make(serverUrl: string, name: string, amounts: Amounts): Promise<string> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => {} })
  await sql`create database ${sql(name)}`
  await sql.end()
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  await migrate(url.href)
  await fill(url.href, amounts)
  return url.href
}

/**
 * What an installation has after years, beside one that has just begun: the same work has to take the same time. It needs 10 GB of disk
 * and half an hour.
 */
export const growth: Row = {
  name: 'growth',
  isApart: true,
  async measure(place) {
    const server = await startPostgres({ directory: join(place.directory, 'growth'), settings })
    try {
      const sizes = { small: await make(server.url, 'small', small), big: await make(server.url, 'big', big) }
      const readers = await chooseAllReaders(place, sizes)
      // From here on, so that none of the statements that fill them counts.
      const compare = await countStatements(server.url, { small: 'small', big: 'big' })
      const figures = await measureReads(place, sizes, readers)
      await letWork(place, sizes)
      const commands = await measureCommands(place, sizes)
      const statements = await compare()
      const higher = statements.filter(rising)
      console.log(inTable(higher))
      const name = `statements, of ${statements.length}, that read more in the big database`
      return [...figures, ...commands, figure({ name, target: { most: 0 }, unit: '' }, [higher.length])]
    } finally {
      await server.stop()
    }
  },
}
