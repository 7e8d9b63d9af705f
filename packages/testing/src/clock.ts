import { execFile } from 'node:child_process'
import { promisify } from 'node:util'

/**
 * Environment of a process whose clock is set by FAKETIME or FAKETIME_TIMESTAMP_FILE: Debian's libfaketime, without the command faketime,
 * which would outlive a kill. Timers go by the monotonic clock, which no operator and no NTP sets.
 */
export const ownClock = { LD_PRELOAD: '/usr/$LIB/faketime/libfaketimeMT.so.1', FAKETIME_DONT_FAKE_MONOTONIC: '1' }

/** Whether libfaketime is installed. */
export async function canSetClocks(): Promise<boolean> {
  const env = { ...process.env, ...ownClock, FAKETIME: '+1h' }
  const { stdout } = await promisify(execFile)('date', ['+%s'], { env })
  return Number(stdout) - Date.now() / 1000 > 3_000
}
