/** Output for people: plain lines, and a progress bar where the output is a terminal. */

const terminal = process.stdout.isTTY === true
const colour = terminal && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
const paint = (code: number, text: string) => (colour ? `\u001b[${code}m${text}\u001b[0m` : text)

export const bold = (text: string) => paint(1, text)
export const dim = (text: string) => paint(2, text)
const green = (text: string) => paint(32, text)

export const say = (text = '') => console.log(text)

/** Prints a line for a step that has succeeded. */
export const done = (text: string, detail = '') => say(`  ${green('✓')} ${text}${detail && dim(`  ${detail}`)}`)

const width = 28

/**
 * Shows progress from 0 to 100 percent: on a terminal one line that is redrawn, elsewhere a line for each quarter. `end`
 * clears it.
 */
export function progressBar(label: string) {
  let quarter = 0
  return {
    show(percent: number) {
      const whole = Math.max(0, Math.min(100, Math.floor(percent)))
      if (terminal) {
        const full = Math.round((whole / 100) * width)
        const bar = `${'█'.repeat(full)}${'░'.repeat(width - full)}`
        process.stdout.write(`\r  ${label.padEnd(12)} ${bar} ${String(whole).padStart(3)} %`)
      } else if (whole >= quarter) {
        say(`  ${label} ${whole} %`)
        quarter = Math.floor(whole / 25) * 25 + 25
      }
    },
    end() {
      if (terminal) process.stdout.write('\r\u001b[K')
    },
  }
}
