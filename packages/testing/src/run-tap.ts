import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { bundleTypebox } from './one-file/bundle.ts'

/** Runs tap with these arguments and returns its exit code. Ctrl-C ends only tap, so that the caller can clean up. */
export async function runTap(args: string[]): Promise<number> {
  await bundleTypebox()
  const tap = spawn('npx', ['tap', 'run', ...args], { stdio: 'inherit' })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => tap.kill())
  const [code] = await once(tap, 'exit')
  return code ?? 1
}
