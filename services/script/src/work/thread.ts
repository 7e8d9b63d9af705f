import { ApiError, type Fault } from '@playtherapy/service-kit'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import { movable } from './bytes.ts'
import { type TaskName, tasks } from './tasks.ts'

/** What a thread returns. An ApiError becomes a refusal, because it would lose its class between threads. */
export type Answer<T> =
  | { result: T }
  | { refusal: { status: number; code: number; message: string; detail: Fault[] | undefined } }

/** Runs a task in a thread of the pool; the bytes of its result are moved and not copied. */
export default async function run({ name, input }: { name: TaskName; input: never }) {
  try {
    const answer = { result: await tasks[name](input) }
    return move({ [transferableSymbol]: movable(answer), [valueSymbol]: answer })
  } catch (error) {
    if (!(error instanceof ApiError)) throw error
    const { status, code, message, detail } = error
    return { refusal: { status, code, message, detail } }
  }
}
