/** A container's health: exits 0 when the process in it says that it can do its work. */
import { get } from 'node:http'

const [word] = process.argv.slice(2)
if (word === '--help' || word === '-h') {
  console.log('ready: exits with 0 when the process that listens on PORT can do its work, and else with 1.')
  process.exit()
}
if (word !== undefined) {
  console.error('ready: There is an argument that it does not know. See --help.')
  process.exit(2)
}

const request = get(
  { port: process.env.PORT || 8080, path: '/health/ready', timeout: 4_000, agent: false },
  ({ statusCode }) => process.exit(statusCode === 200 ? 0 : 1),
)
request.on('error', () => process.exit(1))
request.on('timeout', () => process.exit(1))
