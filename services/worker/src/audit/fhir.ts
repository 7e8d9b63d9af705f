import type { SealedEvent } from './chain.ts'

/** Codes of `http://hl7.org/fhir/audit-event-action`: create, read, update, delete, execute. */
const actions: Record<string, string> = { create: 'C', read: 'R', update: 'U', delete: 'D', export: 'R', link: 'E' }
/** Interactions of `http://hl7.org/fhir/restful-interaction` that say the same. */
const interactions: Record<string, string> = { create: 'create', read: 'read', update: 'update', delete: 'delete' }

/** What acted, for people. */
const actors: Record<string, string> = {
  therapist: 'A therapist',
  analysis: 'The analysis system',
  operator: 'An operator, by a token',
  worker: 'A worker',
  service: 'A service',
  command: 'A command of an operator',
}

const identifier = (kind: string, id: number) => ({ system: `urn:playtherapy:${kind}`, value: String(id) })

/** The event as AuditEvent of FHIR R4 (https://hl7.org/fhir/R4/auditevent.html): ids only, as identifiers below `urn:playtherapy`. */
export function toFhir(event: SealedEvent): object {
  const { id, at, actor, user_id, action, kind, case_id, session_id, version, result, request_id, address } = event
  const interaction = interactions[action]
  const entity = [
    ...(case_id ? [{ what: { identifier: identifier('case', case_id) }, name: 'case' }] : []),
    ...(session_id ? [{ what: { identifier: identifier('session', session_id) }, name: 'session' }] : []),
    ...(version ? [{ what: { identifier: identifier(kind, version) }, name: kind }] : []),
    ...(request_id ? [{ what: { identifier: { system: 'urn:playtherapy:request', value: request_id } } }] : []),
  ]
  return {
    resourceType: 'AuditEvent',
    id: String(id),
    type: {
      system: 'http://terminology.hl7.org/CodeSystem/audit-event-type',
      code: 'rest',
      display: 'RESTful Operation',
    },
    subtype: [
      ...(interaction ? [{ system: 'http://hl7.org/fhir/restful-interaction', code: interaction }] : []),
      { system: 'urn:playtherapy:kind', code: kind },
      { system: 'urn:playtherapy:action', code: action },
    ],
    // A request that was refused had no effect.
    ...(actions[action] && { action: actions[action] }),
    recorded: at,
    outcome: result === 0 ? '0' : '4',
    ...(result !== 0 && { outcomeDesc: `error_code ${result}` }),
    agent: [
      {
        ...(user_id && { who: { identifier: identifier('user', user_id) } }),
        name: actors[actor] ?? actor,
        requestor: actor !== 'worker',
        ...(address && { network: { address, type: '2' } }),
      },
    ],
    source: { observer: { display: 'PlayTherapy' } },
    ...(entity.length > 0 && { entity }),
  }
}
