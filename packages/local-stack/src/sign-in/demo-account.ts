import type { Database } from '@playtherapy/schema'
import { accounts } from './accounts.ts'
import { hashPassword } from './passwords.ts'
import { profileOf } from './schemas.ts'

/** Printed by `npm start`. */
export const demoAccount = { email: 'demo@example.com', password: 'playtherapy' }

/**
 * Makes the table of accounts and the demo account on first use. Returns the account's id: 1 in a database that only
 * `npm start` has, as in releases before there were accounts. Everybody knows its password, so that in any other database
 * it must not be a therapist who has cases.
 */
export async function openAccounts(db: Database, isOwn: boolean): Promise<number> {
  const repository = accounts(db)
  await repository.prepare()
  const { email } = demoAccount
  const password = await hashPassword(demoAccount.password)
  const demo = { email, name: 'Demo', password, profile: profileOf({ user_type_id: 2, org_id: 1 }) }
  const account = (await repository.add(demo, isOwn ? 1 : undefined)) ?? (await repository.withEmail(email))
  if (!account) throw new Error('the demo account has no free id')
  return account.id
}
