import { compose } from '@playtherapy/schema'

/** A client's name for a file as it is stored and shown: composed (NFC), without control characters, at most 100 characters long. */
export const cleaned = (name = ''): string =>
  Array.from(compose(name.replace(/\p{C}/gu, '')))
    .slice(0, 100)
    .join('') || 'video'
