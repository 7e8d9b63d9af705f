import { createHmac, hash, pbkdf2Sync, randomBytes } from 'node:crypto'
import postgres from 'postgres'
import { type Role, rights, roles } from './rights.ts'
import { tlsOf } from './tls.ts'

/** The URL with which each process connects. Only the user and the password of it are used here. */
export type RoleUrls = Record<Role, string>

interface Login {
  role: Role
  name: string
  password: string
}

const quoted = (name: string) => `"${name.replaceAll('"', '""')}"`

/**
 * What PostgreSQL stores of a password (RFC 5803), as psql's \password sends it: the password itself would stand in the
 * server's log. Source: PostgreSQL's manual, section "pg_authid".
 */
function verifierOf(password: string): string {
  const [iterations, salt] = [4096, randomBytes(16)]
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const keyOf = (name: string) => createHmac('sha256', salted).update(name).digest()
  const stored = hash('sha256', keyOf('Client Key'), 'base64')
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${stored}:${keyOf('Server Key').toString('base64')}`
}

function loginsFrom(urls: RoleUrls, owner: string): Login[] {
  const logins = roles.map((role): Login => {
    const { username, password } = new URL(urls[role])
    return { role, name: decodeURIComponent(username), password: decodeURIComponent(password) }
  })
  const names = new Set([owner, ...logins.map(({ name }) => name)])
  if (names.size <= roles.length) {
    throw new Error('each process needs another user, and none that of the owner')
  }
  return logins
}

/** Whether this user can connect with this password already, as where an administrator has made the role. */
async function signsIn(ownerUrl: string, { name, password }: Login): Promise<boolean> {
  const { url: address, ssl } = tlsOf(ownerUrl)
  const url = new URL(address)
  url.username = encodeURIComponent(name)
  url.password = encodeURIComponent(password)
  const client = postgres(url.href, { ssl, max: 1, connect_timeout: 10, onnotice: () => {} })
  try {
    await client`select 1`
    return true
  } catch (error) {
    // invalid_password, invalid_authorization_specification
    if (error instanceof postgres.PostgresError && ['28P01', '28000'].includes(error.code)) return false
    throw error
  } finally {
    await client.end({ timeout: 5 })
  }
}

/**
 * Makes the role, or gives it the password, unless it has it. Needs CREATEROLE only where there is something to do. Rejects where the
 * role has more than its grants by itself or by a role that it is a member of: that of the owner or of another process, a predefined
 * one such as pg_read_all_data, or one that may make roles, as managed servers put every new user into.
 */
async function makeLogin(client: postgres.Sql, ownerUrl: string, login: Login, others: string[]): Promise<void> {
  const [known] = await client`
    select exists (
      select from pg_roles as had where pg_has_role(own.oid, had.oid, 'member')
        and (had.rolsuper or had.rolbypassrls or had.rolcreaterole or had.rolreplication
          or had.rolname = current_user or had.rolname = any(${others}) or starts_with(had.rolname, 'pg_'))
    ) as is_mighty
    from pg_roles as own where rolname = ${login.name}`
  if (known?.is_mighty) {
    throw new Error(
      `the user of ${login.role} has the permissions of a superuser, of the owner, of another process or of a predefined role`,
    )
  }
  if (known && (await signsIn(ownerUrl, login))) return
  const verb = known ? 'alter' : 'create'
  await client.unsafe(`${verb} role ${quoted(login.name)} login password '${verifierOf(login.password)}'`)
}

/** The schemas whose tables a role may not keep old rights on; BullMQ's is the worker's, whose functions are called as it. */
const schemas = ['public', 'drizzle', 'bullmq']

function revokesFrom({ name }: Login): string[] {
  const user = quoted(name)
  const all = schemas.join(', ')
  return [
    ...['tables', 'sequences', 'functions'].map((kind) => `revoke all on all ${kind} in schema ${all} from ${user}`),
    `revoke all on schema ${all} from ${user}`,
  ]
}

function grantsTo({ role, name }: Login): string[] {
  const user = quoted(name)
  const queue = [
    'usage on schema bullmq',
    'select, insert, update, delete on all tables in schema bullmq',
    'usage on all sequences in schema bullmq',
  ]
  return [
    `grant usage on schema public, drizzle to ${user}`,
    ...Object.entries(rights[role]).map(([table, privileges]) => `grant ${privileges} on ${table} to ${user}`),
    ...(role === 'worker' ? queue : []).map((privileges) => `grant ${privileges} to ${user}`),
  ]
}

/** A release of this software: the version, and the commit or `unknown`. */
export interface Release {
  version: string
  commit: string
}

/** Longer than the pause between two heartbeats of a process that works. */
const aliveSeconds = 60

/** Whether processes run that may be of another release. Two releases without a commit look the same, so one without it may be any. */
async function othersRun(tx: postgres.TransactionSql, { version, commit }: Release): Promise<boolean> {
  const others = await tx`select from processes where seen_at > now() - make_interval(secs => ${aliveSeconds})
    and ((version, commit) is distinct from (${version}, ${commit}) or commit = 'unknown') limit 1`
  return others.length > 0
}

/**
 * Makes the roles of the processes, and gives each its rights. It takes away all others, unless processes run that may be of another
 * release and need them; returns whether it has. It may be repeated, and needs no superuser: an owner with CREATEROLE, or roles that an
 * administrator has made with their passwords. Others who use this database lose the right to make tables in it, unless they are its
 * owner. Rejects, without a password in the message, where the roles would not keep the processes apart.
 */
export async function grantRoles(
  client: postgres.Sql,
  ownerUrl: string,
  urls: RoleUrls,
  release: Release,
): Promise<boolean> {
  const [own] = await client<{ user: string; database: string }[]>`
    select current_user as user, current_database() as database`
  if (!own) throw new Error('the statement returned no row')
  const logins = loginsFrom(urls, own.user)
  for (const login of logins) {
    const others = logins.filter((other) => other !== login).map(({ name }) => name)
    await makeLogin(client, ownerUrl, login, others)
  }
  return client.begin(async (tx) => {
    // Where the owner may not revoke these, this is a warning.
    await tx.unsafe('revoke create on schema public from public')
    await tx.unsafe(`revoke temporary on database ${quoted(own.database)} from public`)
    const isAlone = !(await othersRun(tx, release))
    if (isAlone) for (const revoke of logins.flatMap(revokesFrom)) await tx.unsafe(revoke)
    for (const grant of logins.flatMap(grantsTo)) await tx.unsafe(grant)
    // BullMQ makes a sequence for each queue when it adds the first job, for which the worker would need the right to make tables.
    const makers = await tx<{ signature: string }[]>`select oid::regprocedure::text as signature from pg_proc
      where pronamespace = 'bullmq'::regnamespace and prosrc like '%CREATE SEQUENCE%'`
    for (const { signature } of makers) {
      await tx.unsafe(`alter function ${signature} security definer set search_path = bullmq, pg_temp`)
    }
    const open = await tx`select rolname from pg_roles
      where rolname = any(${logins.map(({ name }) => name)})
        and (has_schema_privilege(rolname, 'public', 'create') or has_database_privilege(rolname, current_database(), 'temp'))`
    if (open.length > 0) {
      throw new Error(
        'every user can create tables: an administrator has to revoke create on the schema public, and temporary on the database, from public',
      )
    }
    return isAlone
  })
}
