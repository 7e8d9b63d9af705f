/** `npm run advisories`: known weaknesses in what runs in production. Ends with 1 if there are any, and with 0 if the registry is down. */
import { askAdvisories } from './advisories.ts'
import { buildPrograms } from './index.ts'

if (process.argv.length > 2) {
  console.log(
    'npm run advisories: asks the npm registry for known weaknesses, high or critical, in what runs in production.',
  )
} else {
  await buildPrograms()
  const advice = await askAdvisories()
  if ('unanswered' in advice) console.log(`The registry was asked and did not answer: ${advice.unanswered}`)
  else {
    console.log(advice.known.length === 0 ? 'None is known.' : advice.known.join('\n'))
    process.exitCode = advice.known.length === 0 ? 0 : 1
  }
}
