import { sql } from 'drizzle-orm'
import { bigint, boolean, check, integer, pgTable, text, unique, uuid } from 'drizzle-orm/pg-core'
import { id, instant } from './columns.ts'

/**
 * A session that the receiver of webhooks has to be told of, at most one row for each therapist and session. It has no foreign keys,
 * because it tells of deletions, too. A job `send-webhook` is in the outbox as long as the row exists, and both end together.
 */
export const webhooks = pgTable(
  'webhooks',
  {
    id: id(),
    userId: integer().notNull(),
    caseId: integer().notNull(),
    sessionId: integer().notNull(),
    /** The newest change of the session that has been found in `session_changes`; 0 for one that an operator repeats. */
    change: bigint({ mode: 'number' }).notNull(),
    /** The message that is being sent. Neither its id nor its body changes until it has arrived or was given up. */
    messageId: uuid(),
    body: text(),
    /** The change that `body` tells of. */
    told: bigint({ mode: 'number' }),
    attempts: integer().notNull().default(0),
    /** When the first attempt began. */
    firstAt: instant(),
    /** When the next attempt is due; the job that makes it is announced for then. */
    nextAt: instant().notNull().defaultNow(),
    /** Until when the attempt that is under way counts as alive. */
    heldUntil: instant(),
  },
  (t) => [
    unique('webhooks_user_id_session_id_unique').on(t.userId, t.sessionId),
    check('webhooks_message_is_whole', sql`num_nulls(${t.messageId}, ${t.body}, ${t.told}, ${t.firstAt}) in (0, 4)`),
  ],
)

/** How far `session_changes` has been read for webhooks. Its one row exists while webhooks are on in any worker. */
export const webhookPosition = pgTable(
  'webhook_position',
  {
    isOnly: boolean().primaryKey().default(true),
    change: bigint({ mode: 'number' }).notNull(),
    /** When a worker that has a receiver was last seen, to a minute or so. */
    seenAt: instant().notNull().defaultNow(),
  },
  (t) => [check('webhook_position_is_one_row', sql`${t.isOnly}`)],
)
