import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** Starts a worker process. It ends when our process ends, because its channel to us is closed then. */
export function startWorker(env: NodeJS.ProcessEnv): ChildProcess {
  const program = fileURLToPath(import.meta.resolve('@playtherapy/worker/server'))
  return fork(program, [], { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
}

/** Resolves when a worker takes jobs; rejects when it ends before. */
export async function takesJobs(worker: ChildProcess): Promise<void> {
  const ended = once(worker, 'exit').then(() => {
    throw new Error('A worker could not start: what it said is above.')
  })
  await Promise.race([once(worker, 'message'), ended])
  ended.catch(() => {})
}

/** Ends a worker by closing its channel, not by a signal: Ctrl-C in a terminal may have sent it one already. */
export async function endWorker(worker: ChildProcess): Promise<void> {
  if (worker.exitCode !== null || worker.signalCode !== null) return
  const gone = once(worker, 'exit')
  const force = setTimeout(() => worker.kill('SIGKILL'), 7_000)
  if (worker.connected) worker.disconnect()
  await gone
  clearTimeout(force)
}
