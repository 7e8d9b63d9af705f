import { loggable, reasonOf } from '@playtherapy/service-kit'
import t from 'tap'

/** A token whose payload names a user, and a signed URL. */
const token = 'eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjo3fQ.dBjftJeZ4CVPmB92K27uhbUJU1p1rwW1gFWFOEjXk'
const signed =
  'https://s3.clinic.example/playtherapy/video/RELEASE/5/6/7.mp4?X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20261126&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024'

/** What may not appear, each inside a message as libraries write them, and pieces by which it would be recognised. */
const secrets: [kind: string, message: string, pieces: RegExp][] = [
  ['a token', `could not verify ${token}`, /eyJ|dBjf/],
  ['a bearer header', `invalid header: Authorization: Bearer ${token}`, /eyJ|dBjf/],
  ['a token in quotes', `token "${token}" is expired`, /eyJ|dBjf/],
  ['a signed URL', `request to ${signed} failed`, /clinic|RELEASE|Amz|AKIA|fe5f/],
  ['a signed URL in quotes', `fetch of '${signed}' was refused`, /clinic|RELEASE|Amz|AKIA|fe5f/],
  [
    'a password in a URL',
    'cannot connect to postgres://app:hunter2@db.clinic.example:5432/play',
    /hunter2|clinic|app:/,
  ],
  ['a password with spaces in a URL', 'Invalid URL: postgres://app:hunter2 word@bad host/db', /hunter2|bad|app:/],
  ['a password in a connection string', 'host=db user=app password=hunter2 sslmode=require', /hunter2/],
  ['a password in a statement', "role already exists: CREATE USER app WITH PASSWORD 'hunter2'", /hunter2/],
  ['an S3 key pair', 'the key AKIAIOSFODNN7EXAMPLE and wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', /AKIA|wJal|bPxR/],
  ['a Garage key', 'Forbidden: No such key: GK31c2f218a2e44f485b94239e', /GK31/],
  ['a hexadecimal key', 'the key 7a2f9e79801f5a186351e179526bbb85 is wrong', /7a2f/],
  ['a name', 'no case for Jiwoo Kim', /jiwoo|kim/i],
  ['a name at the start', 'Grace was not found. Will is missing, Mark is missing', /grace|will|mark/i],
  ['a name in capitals', 'duplicate case JIWOO KIM', /jiwoo|kim/i],
  ['a name joined to others', 'jiwoo-kim/first_session', /jiwoo|kim/i],
  ['a Korean name', '사례 김지우 not found', /김|지우|사례/],
  ['a Korean name in NFD', `case ${'김지우'.normalize('NFD')} not found`, /\u1100|\u110c/],
  ['an accented name', 'the name José is not ASCII', /jos/i],
  ['what a child said', 'cannot parse "I hate my \\"new\\" father" as a record', /hate|father|new/],
  ['what a child said, over two lines', 'cannot parse\nT: where were you?\nC: home with mother', /mother|home|were/],
  ['the text that JSON.parse quotes', parseFailure('{"text": the dog bit me}'), /dog|bit|text/],
  ['the end of a text that JSON.parse quotes', parseFailure(`{"a":"${'x'.repeat(50)}","text": Jiwoo cried`), /jiwoo/i],
  ['a file name', "ENOENT: no such file or directory, open '/data/Jiwoo Kim 2026-11-26.mp4'", /jiwoo|data|2026/i],
  ['a file name without quotes', 'File [Jiwoo first session.mp4] Upload failed.', /jiwoo|mp4/i],
  ['a file name that ends a message', 'unsupported file: 지우 놀이치료.MOV', /지우|MOV/],
  ['an object key', 'no object video/RELEASE/5/6/7-0a1b2c.mp4', /RELEASE|7-0a/],
  ['an e-mail address', 'user jiwoo.kim@clinic.example is unknown', /jiwoo|clinic/],
  ['a telephone number', 'the number 010-1234-5678 or 01012345678', /1234|5678/],
  ['a telephone number in groups', 'call 010 1234 5678 now', /1234|5678/],
  ['a date of birth', 'born 2019-04-05', /2019|04-05/],
  [
    'a statement with its values',
    'Failed query: insert into "cases" ("given_name") values ($1)\nparams: Jiwoo,Kim,{"age":"7"}',
    /jiwoo|kim|insert|given/i,
  ],
  ['a value that PostgreSQL repeats', 'invalid input syntax for type integer: "Jiwoo"', /jiwoo/i],
  ['what Redis repeats', "ERR unknown command 'GETT', with args beginning with: 'Jiwoo' 'Kim'", /jiwoo|kim/i],
  ['a value that V8 repeats', "Cannot use 'in' operator to search for 'text' in Jiwoo cried", /jiwoo|cried/i],
]

function parseFailure(text: string): string {
  try {
    JSON.parse(text)
  } catch (error) {
    if (error instanceof Error) return error.message
  }
  return ''
}

t.test('what may not appear in a log is left out of every message, cause and reason', async (t) => {
  for (const [kind, message, pieces] of secrets) {
    const inner = Object.assign(new Error(message), {
      code: 'EXAMPLE',
      input: message,
      detail: message,
      query: message,
    })
    inner.stack = `Error: ${message}\n    at place (file:///app/place.ts:1:2)`
    const errors = [
      inner,
      new Error('it failed', { cause: inner }),
      new AggregateError([inner], message),
      Object.assign(new Error('x'), { message, name: message, code: message, address: message, table_name: message }),
    ]
    for (const error of errors) {
      t.notMatch(JSON.stringify(loggable(error)), pieces, kind)
      t.notMatch(reasonOf(error), pieces, kind)
    }
    t.notMatch(reasonOf(message) + JSON.stringify(loggable(message)), pieces, `${kind}, thrown as it is`)
  }
})

/** Errors as the drivers throw them, what is logged of them, and the reason in plain words. */
const causes: [error: Error, message: string, reason: RegExp][] = [
  [
    Object.assign(new Error('password authentication failed for user "app"'), { name: 'PostgresError', code: '28P01' }),
    'password authentication failed for user …',
    /^the user name or password is refused \(28P01\)$/,
  ],
  [
    Object.assign(new Error('connect ECONNREFUSED 10.0.0.5:5432'), {
      ...{ code: 'ECONNREFUSED', syscall: 'connect', address: '10.0.0.5', port: 5432 },
    }),
    'connect ECONNREFUSED …',
    /^nothing listens there \(10\.0\.0\.5:5432, ECONNREFUSED\)$/,
  ],
  [
    Object.assign(new Error('getaddrinfo ENOTFOUND db.example'), { code: 'ENOTFOUND', hostname: 'db.example' }),
    'getaddrinfo ENOTFOUND …',
    /^the host name is not known \(db\.example, ENOTFOUND\)$/,
  ],
  [
    Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', syscall: 'write' }),
    'ENOSPC: no space left on device, write',
    /^the disk is full \(ENOSPC\)$/,
  ],
  [
    Object.assign(new Error('could not extend file "base/5/1259": No space left on device'), { code: '53100' }),
    'could not extend file … No space left on device',
    /^the disk of the database is full/,
  ],
  [
    Object.assign(new Error('relation "videos" does not exist'), { code: '42P01' }),
    'relation … does not exist',
    /not migrated/,
  ],
  [
    Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    'self-signed certificate',
    /certificate is self-signed/,
  ],
  [
    Object.assign(
      new Error("Hostname/IP does not match certificate's altnames: Host: db. is not in the cert's altnames"),
      {
        code: 'ERR_TLS_CERT_ALTNAME_INVALID',
      },
    ),
    "Hostname/IP does not match certificate's altnames: Host: … is not in the cert's altnames",
    /another host name/,
  ],
  [
    Object.assign(new Error('WRONGPASS invalid username-password pair or user is disabled.'), { name: 'ReplyError' }),
    'WRONGPASS invalid username-password pair or user is disabled.',
    /password is refused \(WRONGPASS\)/,
  ],
  [
    Object.assign(new Error('The request signature we calculated does not match the signature you provided.'), {
      ...{ name: 'SignatureDoesNotMatch', $metadata: { httpStatusCode: 403 } },
    }),
    'The request signature we calculated does not match the signature you provided.',
    /^the signature does not match/,
  ],
  [
    Object.assign(new Error('UnknownError'), { name: 'NoSuchBucket', $metadata: { httpStatusCode: 404 } }),
    'the bucket does not exist',
    /^the bucket does not exist/,
  ],
  [new Error('the scratch disk is full'), 'the scratch disk is full', /^the scratch disk is full$/],
]

t.test('the log of an error says what happened, and why in plain words', async (t) => {
  for (const [error, message, reason] of causes) {
    t.match(loggable(error), { message })
    t.match(reasonOf(error), reason)
    const wrapped = new Error('it could not be stored', { cause: new AggregateError([error]) })
    t.match(loggable(wrapped), {
      message: 'it could not be stored',
      causes: [{ type: 'AggregateError' }, { type: error.name }],
    })
    t.match(reasonOf(wrapped), reason, 'the whole chain is searched')
  }
})
