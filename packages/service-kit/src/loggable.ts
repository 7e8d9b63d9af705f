import { databaseCode } from '@playtherapy/schema'

/** How many stack frames are logged at most. */
const mostFrames = 12

/** Returns the frames of a stack without the message before them, whose lines can look like frames. */
function framesOf({ stack = '', message }: Error): string[] {
  const start = stack.indexOf(message)
  return stack
    .slice(start === -1 ? 0 : start + message.length)
    .split('\n')
    .filter((line) => /^ {4}at .*:\d+:\d+\)?$/.test(line))
    .slice(0, mostFrames)
    .map((line) => line.trim())
}

/**
 * Returns the fields of an error that may be logged. Its message may not be: it can hold a name, the values of a query, or
 * a URL.
 */
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
