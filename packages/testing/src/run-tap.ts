import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { bundleTypebox } from './one-file/bundle.ts'

/** Runs a program in our terminal and returns its exit code. Ctrl-C ends only that, so that the caller can clean up. */
export async function runHere(program: string, args: string[]): Promise<number> {
  const child = spawn(program, args, { stdio: 'inherit' })
  process.on('SIGINT', () => {})
  process.on('SIGTERM', () => child.kill())
  const [code] = await once(child, 'exit')
  return code ?? 1
}

/** Runs tap with these arguments and returns its exit code. */
export async function runTap(args: string[]): Promise<number> {
  await bundleTypebox()
  return runHere('npx', ['tap', 'run', ...args])
}
