import { ApiError, type Fault } from '@playtherapy/service-kit'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { movable } from './bytes.ts'
import { type TaskName, tasks } from './tasks.ts'

/** The task that a thread is to run. */
interface Job {
  name: TaskName
  /** The input of that task. */
  input: never
}

/** What a thread returns: an error would lose its class between threads. */
export type Answer<T> =
  | { result: T }
  | { refusal: { status: number; code: number; message: string; detail: Fault[] | undefined } }

/** Runs a task in a thread of the pool; the bytes of its result are handed over, not copied. */
export default async function run({ name, input }: Job) {
  try {
    const answer = { result: await tasks[name](input) }
    return move({ [transferableSymbol]: movable(answer), [valueSymbol]: answer })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const { status, code, message, detail } = error
    return { refusal: { status, code, message, detail } }
  }
}
