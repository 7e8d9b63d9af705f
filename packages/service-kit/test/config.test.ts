import {
  ConfigError,
  DatabaseSettings,
  HttpSettings,
  LogSettings,
  loadConfig,
  QueueSettings,
  StoreSettings,
  s3From,
} from '@playtherapy/service-kit'
import t from 'tap'
import { Type } from 'typebox'

const schema = Type.Object({ ...HttpSettings, ...DatabaseSettings, ...QueueSettings, ...StoreSettings, ...LogSettings })
const valid = {
  DATABASE_URL: 'postgres://localhost/a',
  QUEUE_URL: 'redis://localhost',
  S3_BUCKET: 'bucket',
  S3_ACCESS_KEY_ID: 'id',
  S3_SECRET_ACCESS_KEY: 'key',
  JWT_SECRET: 'x'.repeat(32),
}

function faultsOf(env: NodeJS.ProcessEnv): string {
  try {
    loadConfig(schema, env)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  return ''
}

t.test('texts become typed values, and defaults are filled in', async (t) => {
  t.match(loadConfig(schema, { ...valid, PORT: '0', S3_FORCE_PATH_STYLE: 'false', UNKNOWN: 'x', LOG_LEVEL: '' }), {
    PORT: 0,
    HOST: '0.0.0.0',
    S3_FORCE_PATH_STYLE: false,
    LOG_LEVEL: 'info',
    PHASE: 'LOCAL',
    CORS_ORIGINS: 'http://localhost:3000',
  })
  t.notOk('UNKNOWN' in loadConfig(schema, { ...valid, UNKNOWN: 'x' }), 'only what the schema names')
})

t.test('every error is listed at once, and no value', async (t) => {
  const secret = 'do-not-print-me'
  const message = faultsOf({
    PORT: `80${secret}`,
    DATABASE_URL: `mysql://user:${secret}@host/db`,
    QUEUE_URL: `amqp://${secret}`,
    JWT_SECRET: secret,
    JWT_PUBLIC_KEY: secret,
    PHASE: secret,
    LOG_LEVEL: secret,
    S3_BUCKET: '',
    S3_ENDPOINT: secret,
    S3_FORCE_PATH_STYLE: secret,
    CORS_ORIGINS: secret,
  })
  const wrong = [
    ...['PORT', 'DATABASE_URL', 'QUEUE_URL', 'JWT_SECRET', 'JWT_PUBLIC_KEY', 'PHASE', 'LOG_LEVEL', 'S3_BUCKET'],
    ...['S3_ENDPOINT', 'S3_FORCE_PATH_STYLE', 'CORS_ORIGINS', 'S3_ACCESS_KEY_ID', 'S3_SECRET_ACCESS_KEY'],
  ]
  const named = message
    .split('\n')
    .slice(1)
    .map((line) => line.trim().split(' ')[0])
  t.same(named.sort(), wrong.sort())
  t.notMatch(message, secret)
})

t.test('several secrets, and one that was made by hand with commas', async (t) => {
  const long = 'x'.repeat(32)
  for (const JWT_SECRET of [
    `${long},${long}`,
    `${long},  ${long},${long}`,
    'one, made by hand, of 31 or fewer',
    ','.repeat(32),
  ]) {
    t.equal(faultsOf({ ...valid, JWT_SECRET }), '', JWT_SECRET)
  }
})

t.test('values that would start a service nobody can use', async (t) => {
  const faults: [string, NodeJS.ProcessEnv][] = [
    ['JWT_SECRET', { JWT_SECRET: undefined }],
    ['JWT_SECRET', { JWT_SECRET: 'short' }],
    ...[
      'OLD,',
      ',OLD',
      'OLD,short',
      'short,OLD',
      'OLD,OLD,',
      'OLD, short',
      'OLD,          of 25 characters, or so',
    ].map((secrets): [string, NodeJS.ProcessEnv] => [
      'JWT_SECRET must have 32 characters or more in each of its',
      { JWT_SECRET: secrets.replaceAll('OLD', 'x'.repeat(32)) },
    ]),
    ['JWT_PUBLIC_KEY', { JWT_PUBLIC_KEY: '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----' }],
    ['PORT', { PORT: '65536' }],
    ['PORT', { PORT: '80.5' }],
    ['PORT', { PORT: '-1' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: '*' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'http://a.example,*' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'http://a.example/' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'a.example' }],
    ['CORS_ORIGINS', { CORS_ORIGINS: 'http://a.example;http://b.example' }],
  ]
  for (const [name, env] of faults) {
    t.match(faultsOf({ ...valid, ...env }), new RegExp(`^  ${name} `, 'm'), JSON.stringify(env))
  }
  const publicKey = '-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n'
  t.equal(faultsOf({ ...valid, JWT_SECRET: undefined, JWT_PUBLIC_KEY: publicKey }), '', 'a public key does instead')
  t.equal(faultsOf({ ...valid, CORS_ORIGINS: 'http://a.example:3000, https://b.example' }), '')
})

t.test('TLS is verified, by authorities of one file', async (t) => {
  const folder = t.testdir({
    'empty.pem': '',
    'key.pem': '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n',
  })
  for (const name of ['missing.pem', 'empty.pem', 'key.pem', '']) {
    const fault = faultsOf({ ...valid, NODE_EXTRA_CA_CERTS: `${folder}/${name}` })
    t.match(fault, /^ {2}NODE_EXTRA_CA_CERTS must name a PEM file of certificates that this process can read$/m, name)
    t.notMatch(fault, folder)
  }
  const wrong = ['sslmode=no-verify', 'sslrootcert=/ca.pem', 'a=b&ssl=true', 'sslmode=require&uselibpqcompat=true']
  for (const query of wrong) {
    for (const name of ['DATABASE_URL', 'QUEUE_URL']) {
      const fault = faultsOf({ ...valid, [name]: `postgres://user:hunter2@host/a?${query}` })
      t.match(fault, new RegExp(`^  ${name} must match .*NODE_EXTRA_CA_CERTS names the authority`, 'm'), query)
      t.notMatch(fault, 'hunter2')
    }
  }
  for (const mode of ['verify-full', 'require', 'disable']) {
    t.equal(faultsOf({ ...valid, DATABASE_URL: `postgres://localhost/a?sslmode=${mode}` }), '', mode)
  }
})

t.test('encryption at rest by the store', async (t) => {
  const read = (env: NodeJS.ProcessEnv) => s3From(loadConfig(Type.Object(StoreSettings), { ...valid, ...env }))
  t.notOk('encryption' in read({}))
  t.notOk('encryption' in read({ S3_ENCRYPTION: 'none', S3_ENCRYPTION_KEY_ID: '' }))
  t.same(read({ S3_ENCRYPTION: 'SSE-S3' }).encryption, { ServerSideEncryption: 'AES256' })
  t.same(read({ S3_ENCRYPTION: 'SSE-KMS', S3_ENCRYPTION_KEY_ID: 'a' }).encryption, {
    ServerSideEncryption: 'aws:kms',
    SSEKMSKeyId: 'a',
  })
  const wrong: [NodeJS.ProcessEnv, RegExp][] = [
    [{ S3_ENCRYPTION: 'SSE-C' }, /S3_ENCRYPTION must be one of none, SSE-S3, SSE-KMS/],
    [{ S3_ENCRYPTION: 'SSE-KMS' }, /S3_ENCRYPTION_KEY_ID must be set with S3_ENCRYPTION=SSE-KMS and only then/],
    [{ S3_ENCRYPTION: 'SSE-S3', S3_ENCRYPTION_KEY_ID: 'a' }, /S3_ENCRYPTION_KEY_ID must be set with/],
    [{ S3_ENCRYPTION_KEY_ID: 'a' }, /S3_ENCRYPTION_KEY_ID must be set with/],
  ]
  for (const [env, fault] of wrong) t.throws(() => read(env), { name: 'ConfigError', message: fault })
})

t.test('Sentinels are named with their master', async (t) => {
  for (const scheme of ['redis', 'rediss']) {
    const named = `${scheme}+sentinel://user:secret@one,two,three:26379/clinic`
    t.equal(faultsOf({ ...valid, QUEUE_URL: named }), '')
    for (const nobody of [
      `${scheme}+sentinel://one,two`,
      `${scheme}+sentinel://one/`,
      `${scheme}+sentinels://one/a`,
      `${scheme}+sentinel://one:26379,two:26379/a`,
    ]) {
      t.match(faultsOf({ ...valid, QUEUE_URL: nobody }), /QUEUE_URL .*redis\+sentinel:/, nobody)
    }
  }
})
