import { integer, timestamp } from 'drizzle-orm/pg-core'

/** The primary key of a table, which the database numbers. */
export const id = () => integer().primaryKey().generatedByDefaultAsIdentity()

export const instant = () => timestamp({ withTimezone: true, mode: 'date' })
