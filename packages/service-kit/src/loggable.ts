import { databaseCode } from '@playtherapy/schema'

/** Frames that are logged. */
const mostFrames = 12

/** The stack without what precedes its frames: the message, whose lines can look like frames themselves. */
function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message)
  return stack
    .slice(start === -1 ? 0 : start + message.length)
    .split('\n')
    .filter((line) => /^ {4}at .*:\d+:\d+\)?$/.test(line))
    .slice(0, mostFrames)
    .map((line) => line.trim())
}

/** What may be logged of an error: never its message, which can hold a name, a query's values or a URL. */
export function loggable(error: unknown) {
  if (!(error instanceof Error)) return { type: typeof error }
  return {
    type: error.name,
    code: databaseCode(error),
    syscall: 'syscall' in error ? error.syscall : undefined,
    stack: framesOf(error),
    cause: error.cause instanceof Error ? error.cause.name : undefined,
  }
}
