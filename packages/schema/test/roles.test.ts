import { migrate, type Role, type RoleUrls, rights, roles } from '@playtherapy/schema/migrate'
import { emptyDatabase, randomName, testDatabase } from '@playtherapy/testing'
import postgres from 'postgres'
import t, { type Test } from 'tap'

/** Runs statements as the user of this URL. */
function connect(t: Test, url: string): postgres.Sql {
  const client = postgres(url, { max: 1, onnotice: () => {} })
  t.teardown(() => client.end())
  return client
}

/** The code with which a statement is refused; undefined where it is not. Nothing of it remains. */
const refusal = (client: postgres.Sql, statement: string): Promise<string | undefined> =>
  client
    .begin(async (tx) => {
      await tx.unsafe(statement)
      throw new Error('allowed')
    })
    .then(
      () => undefined,
      (error: unknown) => (error instanceof postgres.PostgresError ? error.code : undefined),
    )

/** An empty database, and the URLs of roles that exist in no other test. */
async function place(t: Test) {
  const names = randomName()
  const asUser = (user: string, password: string) => {
    const own = new URL(url)
    return Object.assign(own, { username: user, password: encodeURIComponent(password) }).href
  }
  const urlsWith = (password: string): RoleUrls => ({
    contents: asUser(`${names}_contents`, password),
    media: asUser(`${names}_media`, password),
    script: asUser(`${names}_script`, password),
    worker: asUser(`${names}_worker`, password),
  })
  const made: string[] = []
  // A role can be dropped when the database with its rights is.
  t.teardown(async () => {
    const admin = postgres(process.env.TEST_DATABASE_URL ?? '', { max: 1, onnotice: () => {} })
    for (const name of [...roles.map((role) => `${names}_${role}`), ...made]) {
      await admin.unsafe(`drop role if exists ${name}`)
    }
    await admin.end()
  })
  const url = await emptyDatabase(t)
  /** Makes another user, to whom the database belongs from now on. */
  async function newOwner(options: string): Promise<string> {
    const name = `${names}_owner`
    made.unshift(name)
    const admin = connect(t, url)
    await admin.unsafe(`create role ${name} login ${options} password 'own'`)
    await admin.unsafe(`alter database ${new URL(url).pathname.slice(1)} owner to ${name}`)
    return asUser(name, 'own')
  }
  return { url, names, made, urlsWith, newOwner }
}

/** What no process may do, whichever it is. */
const forbidden = [
  'create table mine (id integer)',
  'create temporary table mine (id integer)',
  'create schema mine',
  'create table bullmq.mine (id integer)',
  'create view mine as select 1',
  "create function mine() returns integer language sql as 'select 1'",
  'alter table cases add column mine integer',
  'alter table outbox disable trigger all',
  'alter function log_own_change() security invoker',
  'drop table processes',
  'truncate session_changes',
  'create trigger mine after insert on outbox execute function outbox_notify()',
  "set session_replication_role = 'replica'",
  'create role mine',
  'insert into session_changes (user_id, case_id) values (1, 1)',
  'update session_changes set user_id = 2',
  'select log_session_change(1, 1, 1)',
  'delete from drizzle.__drizzle_migrations',
  'update installation set id = gen_random_uuid()',
  'update installation set audit_years = 1',
  'delete from installation',
  "insert into audit_events (id, actor, action, kind) overriding system value values (-5, 'worker', 'read', 'case')",
  "insert into audit_events (at, actor, action, kind) values ('2019-01-01', 'worker', 'read', 'case')",
  'update audit_events set user_id = 2',
  'delete from audit_events',
  'delete from audit_events_other',
  'truncate audit_events',
  'alter table audit_events disable trigger all',
  'delete from audit_seals',
  "copy cases to program 'true'",
  "select pg_read_file('/etc/passwd')",
  'select * from pg_authid',
]

/** What only another process may do. */
const foreign: Record<Role, string[]> = {
  contents: [
    'update cases set user_id = 2',
    'update cases set id = 2',
    'select folded from script_pages',
    'select drop_audit_partitions()',
    "update script_versions set path = 'x'",
    "update videos set path = 'x'",
    'update videos set session_id = 2',
    "insert into case_exports (case_id, without_media, pseudonyms, path) values (1, true, true, 'x')",
    'delete from script_versions',
    'select * from tus_uploads',
    "insert into renditions (session_id, video_id, path, size, etag, duration_ms, width, height) values (1, 1, 'x', 1, 'x', 1, 1, 1)",
    'delete from erasures',
    "update erasures set receipt = 'x'",
    "insert into receipt_keys (kid, x) values ('x', 'x')",
    'update outbox set attempts = 9',
    'select * from webhook_position',
    'select * from bullmq.job',
  ],
  media: [
    'select user_id from audit_events',
    'select given_name from cases',
    'select description from cases',
    'select search_text from cases',
    'update cases set user_id = 1',
    'delete from cases',
    'delete from sessions',
    'update sessions set case_id = 1',
    "update videos set path = 'x'",
    'update videos set session_id = 2',
    'select folded from script_pages',
    'select levels from report_versions',
    'delete from outbox',
    'select * from idempotency_keys',
    'select * from bullmq.job',
  ],
  script: [
    'select user_id from audit_events',
    'select make_audit_partitions()',
    'select given_name from cases',
    'delete from cases',
    'insert into sessions (case_id, name) values (1, 1)',
    "update sessions set name = 'x'",
    'select path from videos',
    'select levels from report_versions',
    'select * from erasures',
    "insert into outbox (name, payload) values ('erase', '{}')",
    'select * from bullmq.job',
  ],
  worker: [
    'select search_text from cases',
    "update cases set given_name = 'x'",
    "insert into cases (user_id, given_name) values (1, 'x')",
    'delete from cases',
    'delete from sessions',
    "update sessions set name = 'x'",
    'select folded from script_pages',
    'update erasures set case_id = 1',
    'update erasures set user_id = 1',
    'update cases set user_id = 1',
    'delete from receipt_keys',
  ],
}

t.test('each process is refused what it does not need', async (t) => {
  const { url, urlsWith } = await place(t)
  const urls = urlsWith('first')
  await migrate(url, urls)
  for (const role of roles) {
    const client = connect(t, urls[role])
    await client`select created_at from drizzle.__drizzle_migrations`
    const event = "insert into audit_events (actor, action, kind, result) values ('worker', 'read', 'case', 0)"
    t.equal(await refusal(client, event), undefined, `${role}: writes an event`)
    for (const statement of [...forbidden, ...foreign[role]]) {
      t.equal(await refusal(client, statement), '42501', `${role}: ${statement}`)
    }
  }
})

t.test('a process adds no row that names an object of another session', async (t) => {
  const { url, urlsWith } = await place(t)
  const urls = urlsWith('first')
  await migrate(url, urls)
  const owner = connect(t, url)
  await owner`insert into cases (id, user_id, given_name) overriding system value values (1, 1, 'own'), (12, 2, 'other')`
  await owner`insert into sessions (id, case_id, name) overriding system value values (3, 1, 'own'), (34, 12, 'other')`
  const inserts: [Role, (path: string) => string][] = [
    ['media', (path) => `insert into videos (id, session_id, state, path) values (1, 3, 'presigned', '${path}')`],
    ...(['script', 'worker'] as const).map((role): [Role, (path: string) => string] => [
      role,
      (path) => `insert into script_versions (session_id, version, path, size, checksum, user_id, made_by)
        values (3, 1, '${path}', 1, 'x', 1, 'therapist')`,
    ]),
    ...(['contents', 'worker'] as const).map((role): [Role, (path: string) => string] => [
      role,
      (path) => `insert into report_versions (session_id, version, path, size) values (3, 1, '${path}', 1)`,
    ]),
  ]
  const others = [
    'RELEASE/12/34/x',
    'RELEASE/1/34/x',
    'RELEASE/12/3/x',
    '1/3/x',
    'x/RELEASE/1/3/x',
    '/1/3x',
    'RELEASE/1/3/../../12/34/x',
    '../1/3/x',
    '',
  ]
  for (const [role, insert] of inserts) {
    const client = connect(t, urls[role])
    t.equal(await refusal(client, insert('RELEASE/1/3/x')), undefined, `${role}: of its own session`)
    for (const path of others) t.equal(await refusal(client, insert(path)), '42501', `${role}: ${path}`)
  }
  t.equal(await refusal(owner, inserts[0]?.[1]('older') ?? ''), undefined, 'the owner restores what is older')
})

t.test('every table of ours is somebody’s, and rights are for tables that exist', async (t) => {
  const { sql } = await testDatabase(t)
  const tables = await sql`select relname as name from pg_class
    where relkind in ('r', 'p') and not relispartition and relnamespace = 'public'::regnamespace`
  const named = new Set(roles.flatMap((role) => Object.keys(rights[role])))
  t.strictSame(
    tables.map(({ name }) => name).filter((name) => !named.has(name)),
    [],
    'name its rights in packages/schema/src/rights.ts',
  )
})

t.test('roles are made again as they should be', async (t) => {
  const { url, names, urlsWith } = await place(t)
  const owner = connect(t, url)
  await migrate(url, urlsWith('first'))
  await owner.unsafe(`grant all on cases to ${names}_script`)
  await owner.unsafe(`grant update (given_name) on cases to ${names}_media`)
  await Promise.all([migrate(url, urlsWith("an 'other: % word")), migrate(url, urlsWith("an 'other: % word"))])
  const urls = urlsWith("an 'other: % word")
  t.equal(await refusal(connect(t, urls.script), 'delete from cases'), '42501', 'an old right is taken away')
  t.equal(await refusal(connect(t, urls.media), "update cases set given_name = 'x'"), '42501', 'and that on a column')
  t.equal(await refusal(connect(t, urlsWith('first').media), 'select 1'), '28P01', 'so is the old password')
  await migrate(url)
  t.equal(await refusal(connect(t, urls.contents), 'select id from cases'), undefined, 'rights stay without the URLs')
})

t.test('an upgrade takes no right from processes of the release before, as long as they run', async (t) => {
  const { url, names, urlsWith } = await place(t)
  const owner = connect(t, url)
  const urls = urlsWith('first')
  const before = { version: '0.1.0', commit: 'c0ffee' }
  const after = { version: '0.2.0', commit: 'c0ffee' }
  await migrate(url, urls, { release: before })
  await owner.unsafe(`grant delete on idempotency_keys to ${names}_script`)
  const beat = (release = before) => owner`
    insert into processes ${owner({ id: '00000000-0000-4000-8000-000000000000', kind: 'script', ...release })}
    on conflict (id) do update set seen_at = now(), version = excluded.version, commit = excluded.commit`
  await beat()

  const old = connect(t, urls.script)
  let upgraded = false
  const refusals: unknown[] = []
  let served = 0
  const serving = (async () => {
    do {
      await old`delete from idempotency_keys`.catch((error: unknown) => refusals.push(error))
      served++
    } while (!upgraded)
  })()
  t.equal(await migrate(url, urls, { release: after }), false, 'it says that old rights stay')
  upgraded = true
  await serving
  t.ok(served > 1)
  t.strictSame(refusals, [], 'the old process kept working')

  const stays = () => refusal(old, 'delete from idempotency_keys')
  const unknown = { version: '0.2.0', commit: 'unknown' }
  await beat(unknown)
  t.equal(await migrate(url, urls, { release: unknown }), false, 'a release without a commit may be any')
  t.equal(await stays(), undefined)
  await owner`update processes set seen_at = now() - interval '2 minutes'`
  await owner.unsafe(`grant delete on webhooks to ${names}_media`)
  t.equal(await migrate(url, urls, { release: unknown }), true, 'the old process has ended')
  t.equal(await stays(), '42501')
  t.equal(await refusal(connect(t, urls.media), 'delete from webhooks'), '42501')
  await owner.unsafe(`grant delete on webhooks to ${names}_media`)
  await beat(after)
  t.equal(await migrate(url, urls, { release: after }), true, 'processes of this release do not need it')
  t.equal(await refusal(connect(t, urls.media), 'delete from webhooks'), '42501')
})

t.test('an owner without a superuser’s rights makes the roles, or grants to those that are there', async (t) => {
  for (const [how, options] of Object.entries({ makes: 'createrole', grants: 'nocreaterole' })) {
    const { url, urlsWith, newOwner, names } = await place(t)
    const ownerUrl = await newOwner(options)
    const urls = urlsWith('first')
    if (how === 'grants') {
      const admin = connect(t, url)
      for (const role of roles) await admin.unsafe(`create role ${names}_${role} login password 'first'`)
    }
    await migrate(ownerUrl, urls)
    await migrate(ownerUrl, urls)
    for (const role of roles) {
      t.equal(await refusal(connect(t, urls[role]), 'select id from cases'), undefined, `${how}: ${role} works`)
      t.equal(await refusal(connect(t, urls[role]), 'create table mine ()'), '42501', `${how}: ${role} makes no table`)
    }
    if (how === 'grants') await t.rejects(migrate(ownerUrl, urlsWith('second')), { code: '42501' })
  }
})

t.test('users that would not be kept apart are refused', async (t) => {
  const { url, urlsWith, names, made } = await place(t)
  const urls = urlsWith('first')
  const apart = /needs another user/
  await t.rejects(migrate(url, { ...urls, media: urls.contents }), apart)
  await t.rejects(migrate(url, { ...urls, worker: url }), apart, 'the owner')
  const admin = connect(t, url)
  await admin.unsafe(`create role ${names}_media login superuser password 'first'`)
  const tooMuch =
    /the user of media has the permissions of a superuser, of the owner, of another process or of a predefined role/
  await t.rejects(migrate(url, urls), tooMuch)
  await admin.unsafe(`alter role ${names}_media nosuperuser`)
  const owner = new URL(url).username
  made.push(`${names}_group`, `${names}_makers`)
  await admin.unsafe(`create role ${names}_makers createrole`)
  await admin.unsafe(`create role ${names}_group`)
  await admin.unsafe(`create role ${names}_worker login password 'first'`)
  await admin.unsafe(`grant ${names}_group to ${names}_media`)
  await migrate(url, urls)
  for (const role of [owner, 'pg_read_all_data', 'pg_monitor', `${names}_makers`, `${names}_worker`]) {
    await admin.unsafe(`grant ${role} to ${names}_media`)
    await t.rejects(migrate(url, urls), tooMuch, role)
    await admin.unsafe(`revoke ${role} from ${names}_media`)
    await admin.unsafe(`grant ${role} to ${names}_group`)
    await t.rejects(migrate(url, urls), tooMuch, `${role} by another role`)
    await admin.unsafe(`revoke ${role} from ${names}_group`)
  }
  await migrate(url, urls)
})
