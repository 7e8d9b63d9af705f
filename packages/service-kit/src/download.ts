import { compose } from '@playtherapy/schema'
import contentDisposition from 'content-disposition'

/** What Windows refuses in a file name, and what would be a path. */
const unfit = /[\p{Cc}/\\:*?"<>|]+/gu

/** The header by which a browser saves a response as a file that is named after a session, `end` included. */
export const savedAs = (sessionName: string, end: string) => ({
  'content-disposition': contentDisposition(
    `${[...compose(sessionName).replace(unfit, '_')].slice(0, 100).join('')}${end}`,
  ),
})
