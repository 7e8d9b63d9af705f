import { migrate } from '@playtherapy/schema/migrate'
import { beginProgram, DatabaseSettings, reach } from '@playtherapy/service-kit'
import { Type } from 'typebox'

const { config } = beginProgram({
  name: 'migrate',
  summary: 'Brings the tables of the database and of the queue in it up to date. It may be repeated.',
  settings: Type.Object(DatabaseSettings),
})
await reach('The database', config.DATABASE_URL, () => migrate(config.DATABASE_URL))
console.log('The database is up to date.')
