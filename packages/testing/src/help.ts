/** Prints the usage of a development command and ends, if `--help` or `-h` is among its arguments. */
export function answerHelp(usage: string): void {
  if (!process.argv.slice(2).some((argument) => ['--help', '-h'].includes(argument))) return
  console.log(usage)
  process.exit()
}
