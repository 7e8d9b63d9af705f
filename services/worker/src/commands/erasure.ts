import { readFile } from 'node:fs/promises'
import { type Database, erasures, openDatabase, receiptKeys } from '@playtherapy/schema'
import { beginProgram, DatabaseSettings, reach, UsageError } from '@playtherapy/service-kit'
import { asc, eq, gt, sql } from 'drizzle-orm'
import { Type } from 'typebox'
import { ReceiptError, verifyReceipt } from '../erase/jws.ts'

const { config, words } = beginProgram({
  name: 'erasure',
  summary: 'Shows erasures and their receipts, and verifies receipts.',
  usage: [
    '             without words it lists all erasures, oldest first',
    'receipt ID   prints the receipt of one',
    'verify FILE  verifies the receipt in a file and prints what it says; the exit code is 1 if it is not genuine',
  ],
  settings: Type.Object(DatabaseSettings),
  takesWords: true,
})
const [command, name, ...more] = words
const isKnown = command === undefined || (['receipt', 'verify'].includes(command) && name !== undefined)
if (!isKnown || more.length > 0) throw new UsageError('There is an argument that it does not know')

/** Erasures read at once. */
const batchRows = 1_000

async function list(db: Database): Promise<void> {
  for (let last = 0; ; ) {
    const rows = await db
      .select({
        id: erasures.id,
        publicId: erasures.publicId,
        caseId: erasures.caseId,
        sessionId: erasures.sessionId,
        videoId: erasures.videoId,
        createdAt: erasures.createdAt,
        askedBy: erasures.askedBy,
        lastSweptAt: erasures.lastSweptAt,
        lockedUntil: erasures.lockedUntil,
      })
      .from(erasures)
      .where(gt(erasures.id, last))
      .orderBy(asc(erasures.id))
      .limit(batchRows)
    for (const row of rows) {
      const state = row.lastSweptAt === null ? 'pending' : row.lockedUntil === null ? 'erased' : 'locked'
      const what = [`case ${row.caseId}`]
      if (row.sessionId !== null) what.push(`session ${row.sessionId}`)
      if (row.videoId !== null) what.push(`recording ${row.videoId}`)
      console.log([row.publicId, row.createdAt.toISOString(), row.askedBy, state, ...what].join('  '))
      last = row.id
    }
    if (rows.length < batchRows) return
  }
}

async function print(db: Database, id: string): Promise<void> {
  const [row] = await db
    .select({ receipt: erasures.receipt })
    .from(erasures)
    .where(eq(sql`${erasures.publicId}::text`, id.toLowerCase()))
  if (row?.receipt) console.log(row.receipt)
  else {
    console.error(row ? 'It has no receipt yet.' : 'There is no such erasure.')
    process.exitCode = 1
  }
}

async function verify(db: Database, file: string): Promise<void> {
  try {
    const receipt = await readFile(file, 'utf8').catch(() => {
      throw new ReceiptError('The file cannot be read.')
    })
    const keys = await db.select({ kid: receiptKeys.kid, x: receiptKeys.x }).from(receiptKeys)
    console.log(JSON.stringify(verifyReceipt(receipt, keys), null, 2))
    console.log('The receipt is genuine.')
  } catch (error) {
    if (!(error instanceof ReceiptError)) throw error
    console.error(error.message)
    process.exitCode = 1
  }
}

await reach('The database', config.DATABASE_URL, async () => {
  const { db, close } = openDatabase({ url: config.DATABASE_URL, max: 1, applicationName: 'erasure' })
  if (command === undefined) await list(db)
  else if (name !== undefined) await (command === 'receipt' ? print(db, name) : verify(db, name))
  await close()
})
