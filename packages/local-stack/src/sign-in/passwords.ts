import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { createShares } from '@playtherapy/service-kit'

const [saltBytes, hashBytes] = [16, 32]
/** How many passwords are hashed at once; a hash takes 16 MiB and some 50 ms of a core. */
const mostHashes = 32

const hashing = createShares(mostHashes, 1)

/** Text typed on a Mac and on another machine may have other bytes, so it is normalised. Throws 429 while 32 hashes run. */
async function hash(password: string, salt: Buffer): Promise<Buffer> {
  const giveBack = hashing.take(0)
  try {
    return await new Promise((resolve, reject) => {
      scrypt(password.normalize('NFC'), salt, hashBytes, (error, key) => (error ? reject(error) : resolve(key)))
    })
  } finally {
    giveBack()
  }
}

/** Returns the text that is stored in place of a password: a random salt and the scrypt hash, in base64url. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(saltBytes)
  return `${salt.toString('base64url')}.${(await hash(password, salt)).toString('base64url')}`
}

/** Compares a password with a stored text. Without one it is false after the same time, which so tells nothing. */
export async function isPassword(password: string, stored = '.'): Promise<boolean> {
  const [salt = '', key = ''] = stored.split('.').map((part) => Buffer.from(part, 'base64url'))
  const given = await hash(password, Buffer.from(salt))
  return key.length === given.length && timingSafeEqual(Buffer.from(key), given)
}
