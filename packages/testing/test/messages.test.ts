import { failures } from '@playtherapy/schema'
import { loggable } from '@playtherapy/service-kit'
import t from 'tap'
import { sources } from './sources.ts'

/** Rooms whose errors are only read by developers. */
const ownRooms = ['testing', 'bench', 'local-stack', 'embedded-postgres', 'programs']
/** Errors that an operator reads when a process starts, and not in a log. */
const notLogged = ['ConfigError', 'UsageError']

t.test('the log leaves nothing out of the messages of our own errors', async (t) => {
  let found = 0
  for (const { path, text } of await sources()) {
    if (ownRooms.includes(path.split('/')[1] ?? '')) continue
    for (const [, name = '', , message = ''] of text.matchAll(/new (\w*Error)\(\s*(['`])((?:\\.|(?!\2).)+)\2/gs)) {
      if (notLogged.includes(name)) continue
      found++
      // What a template fills in stands for a number.
      const filled = message.replaceAll(/\$\{[^}]*\}/g, '1')
      const logged = loggable(new Error(filled))
      t.equal('message' in logged && logged.message, filled, `${path}: add the words to service-kit/src/log-words.ts`)
    }
  }
  for (const failure of Object.values(failures)) t.match(loggable(new Error(failure)), { message: failure })
  t.ok(found > 50, `${found} messages`)
})
