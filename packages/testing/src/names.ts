import { randomBytes } from 'node:crypto'

/** A name no other test uses; fit for databases, buckets and prefixes. */
export const randomName = () => `test_${randomBytes(8).toString('hex')}`
