import type { Database } from '@playtherapy/schema'
import { sql } from 'drizzle-orm'
import type { Profile } from './schemas.ts'

/** The advisory lock of sign-ups; those of the product are in packages/schema/src/locks.ts. */
const lock = sql`select pg_advisory_xact_lock(hashtext('sign_in'))`

export interface Account extends Record<string, unknown> {
  /** The `user_id` of its tokens. */
  id: number
  email: string
  name: string
  /** What `hashPassword` returned. */
  password: string
  profile: Profile
  created_time: string
}

type NewAccount = Pick<Account, 'email' | 'name' | 'password' | 'profile'>

const columns = sql`id, email, name, password, profile, to_json(created_time) as created_time`

/** The lowest id that neither an account nor a case has: on a database with cases no account becomes the therapist of any. */
const freeId = sql`(
  with taken as (select 0 as id union select id from sign_in.accounts union select user_id from cases)
  select id + 1 from taken
  where id < 2147483647 and not exists (select from taken as next where next.id = taken.id + 1)
  order by id limit 1)`

/** The accounts of the stand-in, in a schema of their own beside the product's tables. */
export const accounts = (db: Database) => ({
  /** Makes the schema and table on first use. */
  prepare: () =>
    db.transaction(async (tx) => {
      await tx.execute(lock)
      await tx.execute(sql`create schema if not exists sign_in`)
      await tx.execute(sql`create table if not exists sign_in.accounts (
        id integer primary key,
        email text not null,
        name text not null,
        password text not null,
        profile jsonb not null,
        created_time timestamptz not null default now())`)
      await tx.execute(sql`create unique index if not exists accounts_email on sign_in.accounts (lower(email))`)
    }),

  /** Adds an account, with the lowest free id or the given one; undefined when its email has one, in any case of letters. */
  add: ({ email, name, password, profile }: NewAccount, id?: number): Promise<Account | undefined> =>
    db.transaction(async (tx) => {
      await tx.execute(lock)
      const [account] = await tx.execute<Account>(sql`
        insert into sign_in.accounts (id, email, name, password, profile)
        values (${id ?? freeId}, ${email}::text, ${name}::text, ${password}::text, ${JSON.stringify(profile)}::jsonb)
        on conflict do nothing returning ${columns}`)
      return account
    }),

  async withEmail(email: string): Promise<Account | undefined> {
    const [account] = await db.execute<Account>(sql`
      select ${columns} from sign_in.accounts where lower(email) = lower(${email}::text)`)
    return account
  },

  async withId(id: number): Promise<Account | undefined> {
    const [account] = await db.execute<Account>(sql`select ${columns} from sign_in.accounts where id = ${id}::int`)
    return account
  },
})
