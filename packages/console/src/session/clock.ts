/** A second as people read it: `1:23`, or `1:02:03` after an hour. */
export function clock(second: number): string {
  const whole = Number.isFinite(second) ? Math.max(0, Math.floor(second)) : 0
  const [hours, minutes, seconds] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60]
  const two = (part: number) => `${part}`.padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`
}
