import { type Database, recentEncodes } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'

/** For how long it is kept what was encoded; the operator's view shows an hour. */
const keptSeconds = 7_200

/** Removes what was encoded too long ago for the operator's view. */
export const forgetEncodes = (db: Database) =>
  db.delete(recentEncodes).where(sql`${recentEncodes.at} < now() - make_interval(secs => ${keptSeconds})`)
