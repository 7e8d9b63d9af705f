/** The alerts of `.docker/observability/rules.yml` with shorter times, so that real faults are seen in minutes. */
import { parse, stringify } from 'yaml'

/** All windows, pauses and ages are divided by this. Prometheus asks each process every four seconds instead of fifteen. */
const scale = 20
export const scrapeSeconds = 4

const inSeconds = { s: 1, m: 60, h: 3_600, d: 86_400 }
const isUnit = (unit: string): unit is keyof typeof inSeconds => Object.hasOwn(inSeconds, unit)
/** A duration of PromQL, divided. */
const shorter = (duration: string) => {
  const unit = duration.at(-1) ?? ''
  if (!isUnit(unit)) throw new Error(`${duration} is no duration`)
  return `${Math.round((Number.parseInt(duration, 10) * inSeconds[unit] * 1_000) / scale)}ms`
}

/**
 * The key set of tokens is read every five minutes whatever the rules say, so that its age is compared with the number of the rule. The
 * process that shows it runs with a faster clock.
 */
const unscaled = ['TokenKeysOld']

/** An age in seconds that is compared with a number. */
const age = /(_seconds\b[^<>]*[<>] )(\d+)(?=\s+unless|$)/
/** The moment for which a trend is continued. */
const horizon = /(predict_linear\([^,]+, )(\d+)/g

const shorterExpression = (name: string, expression: string) => {
  const windowed = expression
    .replace(/\[(\d+[smhd])\]/g, (_, duration: string) => `[${shorter(duration)}]`)
    .replace(horizon, (_, before: string, seconds: string) => `${before}${Number(seconds) / scale}`)
  if (unscaled.includes(name)) return windowed
  return windowed.replace(age, (_, before: string, seconds: string) => `${before}${Number(seconds) / scale}`)
}

interface Rule {
  alert?: string
  record?: string
  expr: string
  for?: string
}

/** Divides the times of a file of rules. */
export function scaledRules(text: string): string {
  const { groups }: { groups: { name: string; interval?: string; rules: Rule[] }[] } = parse(text)
  return stringify({
    groups: groups.map(({ interval, rules, ...group }) => ({
      ...group,
      ...(interval && { interval: shorter(interval) }),
      rules: rules.map((rule) => ({
        ...rule,
        expr: shorterExpression(rule.alert ?? rule.record ?? '', rule.expr),
        ...(rule.for && { for: shorter(rule.for) }),
      })),
    })),
  })
}
