import { randomBytes } from 'node:crypto'

/** Returns a name that no other test uses, valid for databases and prefixes. */
export const randomName = () => `test_${randomBytes(8).toString('hex')}`
