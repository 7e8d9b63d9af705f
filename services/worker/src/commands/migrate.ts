import { migrate } from '@playtherapy/schema/migrate'
import { beginProgram, build, DatabaseSettings, optionalText, reach } from '@playtherapy/service-kit'
import { Type } from 'typebox'

/** Each is required with another one, so that none is left out. */
const urlOf = (process: string, requiredWith: string) =>
  optionalText(
    `DATABASE_URL of ${process}, for a role of its own: migrate makes it, with the password in the URL, and gives it its rights. All four or none`,
    { pattern: '^postgres(ql)?://[^:/?#@\\s]+:[^:/?#@\\s]+@', requiredWith: [requiredWith] },
  )

const { config } = beginProgram({
  name: 'migrate',
  summary:
    'Brings the tables of the database and of the queue in it up to date, and the roles of the processes if they are named. It may be repeated.',
  settings: Type.Object({
    ...DatabaseSettings,
    CONTENTS_DATABASE_URL: urlOf('contents', 'WORKER_DATABASE_URL'),
    MEDIA_DATABASE_URL: urlOf('media', 'CONTENTS_DATABASE_URL'),
    SCRIPT_DATABASE_URL: urlOf('script', 'MEDIA_DATABASE_URL'),
    WORKER_DATABASE_URL: urlOf('the worker', 'SCRIPT_DATABASE_URL'),
    AUDIT_YEARS: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 100,
        description: 'How long the audit trail is kept, in years. Without it as before, and at first six',
      }),
    ),
  }),
})
const {
  DATABASE_URL: url,
  CONTENTS_DATABASE_URL: contents,
  MEDIA_DATABASE_URL: media,
  SCRIPT_DATABASE_URL: script,
  WORKER_DATABASE_URL: worker,
} = config
const urls = contents && media && script && worker ? { contents, media, script, worker } : undefined
const { AUDIT_YEARS: auditYears } = config
const onShorter = (before: number) =>
  console.log(
    `The audit trail is kept for ${auditYears} years from now on, and was kept for ${before}: workers drop what is older, one month in each week, the first one in a week. Set AUDIT_YEARS to ${before} and repeat this to keep it.`,
  )
const options = { ...(auditYears && { auditYears }), onShorter, release: build }
const isTight = await reach('The database', url, () => migrate(url, urls, options))
console.log('The database is up to date.')
if (urls) console.log('Each process has a role of its own, with the rights that it needs.')
if (!isTight) {
  console.log(
    'Processes run that may be of another release, so that no right was taken away. Repeat this when they have ended.',
  )
}
