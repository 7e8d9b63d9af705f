/** `npm start`: the whole stack on this machine, and the main job on a real clip. See options.ts. */
import { build, UsageError } from '@playtherapy/service-kit'
import { type Demo, runDemo } from './demo.ts'
import { findPrograms } from './ffmpeg.ts'
import { readOptions, usage } from './options.ts'
import { readSettings } from './settings.ts'
import { demoAccount } from './sign-in/demo-account.ts'
import { type Stack, startStack } from './stack.ts'
import { bold, dim, done, say } from './terminal.ts'

/** How long closing may take after Ctrl-C. */
const closeMs = 8_000

function refuse(error: unknown): never {
  if (error instanceof UsageError) console.error(`${error.message}\n\n${usage}`)
  else if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
    console.error(
      'That port is taken: stop the process that listens there, or choose another port with `npm start -- --port N`.',
    )
  else console.error(error instanceof Error ? error.message : error)
  process.exit(error instanceof UsageError ? 2 : 1)
}

async function main() {
  const options = readOptions(process.argv.slice(2))
  if (options === 'help') return say(usage)
  if (options === 'version') return say(`${build.version} (${build.commit})`)
  const began = performance.now()
  const settings = readSettings(process.env)
  say(dim('Starting …'))
  const programs = await findPrograms(settings)
  const stack = await startStack(options, settings, programs)

  let ending: Promise<never> | undefined
  const end = (code: number): Promise<never> => {
    ending ??= (async () => {
      setTimeout(() => process.exit(1), closeMs).unref()
      await stack.close()
      say(dim('Everything is closed.'))
      process.exit(code)
    })()
    return ending
  }
  // npm and the terminal may both pass on the same Ctrl-C. Only a later one means that the user will not wait.
  let firstSignal = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      firstSignal ||= Date.now()
      if (Date.now() - firstSignal > 1_000) process.exit(1)
      if (!ending) say(dim('\nClosing …'))
      end(0).catch(refuse)
    })
  }
  stack.broken.catch((error: Error) => {
    if (ending) return
    console.error(`Stopping: ${error.message}.`)
    end(1).catch(refuse)
  })

  const took = dim(`in ${((performance.now() - began) / 1000).toFixed(1)} s`)
  // --once closes everything before anybody could open a link.
  const where = options.once ? '' : ` at ${bold(stack.url)}`
  say(`\n${bold('PlayTherapy')} is up${where} ${took}`)
  for (const [part, what] of Object.entries(stack.parts)) done(part.padEnd(9), what)
  let demo: Demo | undefined
  if (options.demo) {
    try {
      demo = await runDemo(stack, programs, options)
    } catch (error) {
      if (ending) return
      console.error(`\nThe demo failed: ${error instanceof Error ? error.message : error}`)
      if (options.once) await end(1)
    }
  }
  if (options.once) await end(0)
  sayWhatToTry(stack, demo)
  say(dim('\nCtrl-C stops everything.'))
}

/** Prints links that open as they are, and requests that may be pasted; the token has a line of its own. */
function sayWhatToTry({ url, mintDemoToken }: Stack, { session, link }: Partial<Demo> = {}) {
  say(`
${bold('Open this link')}, which signs you in for an hour
  ${url}/#token=${mintDemoToken(1)}

${bold('Or try')}
  API page  ${url}/documentation
  sign in   ${demoAccount.email}, password ${demoAccount.password}${link ? `\n  watch     ${link}` : ''}

TOKEN=${mintDemoToken(24)}
curl -H "Authorization: Bearer $TOKEN" ${url}${session ?? '/contents/api/case'}`)
  if (session) say(`curl -H "Authorization: Bearer $TOKEN" -o recording.mp4 ${url}${session}/video`)
}

main().catch(refuse)
