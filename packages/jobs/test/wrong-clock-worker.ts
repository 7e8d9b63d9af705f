/** A worker process whose clock is ten minutes ahead; it tells its parent when its job has failed. */
const rightNow = Date.now
Date.now = () => rightNow() + 600_000

const { openDatabase } = await import('@playtherapy/schema')
const { createWorker } = await import('../src/index.ts')
const { handlersWith, reasonOf, silent } = await import('./support.ts')

const [queueUrl = '', prefix = '', databaseUrl = ''] = process.argv.slice(2)
await createWorker({
  queueUrl,
  prefix,
  database: openDatabase({ url: databaseUrl, max: 2, applicationName: 'ahead' }),
  handlers: handlersWith({
    'encode-video': async () => {
      process.send?.('failed')
      throw new Error('the store is away')
    },
  }),
  log: silent,
  reasonOf,
})
