import { computed, signal } from '@preact/signals'

/** The view that the address names. */
export type Route =
  | { view: 'cases' }
  | { view: 'case'; caseId: number }
  | { view: 'session'; caseId: number; sessionId: number; tab: 'script' | 'report' }
  | { view: 'operations' }

const address = signal(location.hash)
addEventListener('hashchange', () => {
  address.value = location.hash
})

const paths: [RegExp, (parts: string[]) => Route][] = [
  [
    /^#case\/(\d+)\/session\/(\d+)$/,
    ([c, s]) => ({ view: 'session', caseId: Number(c), sessionId: Number(s), tab: 'script' }),
  ],
  [
    /^#case\/(\d+)\/session\/(\d+)\/report$/,
    ([c, s]) => ({ view: 'session', caseId: Number(c), sessionId: Number(s), tab: 'report' }),
  ],
  [/^#case\/(\d+)$/, ([c]) => ({ view: 'case', caseId: Number(c) })],
  [/^#operations$/, () => ({ view: 'operations' })],
]

function read(hash: string): Route {
  for (const [pattern, route] of paths) {
    const found = pattern.exec(hash.split('?')[0] ?? '')
    if (found) return route(found.slice(1))
  }
  return { view: 'cases' }
}

export const route = computed(() => read(address.value))

/** The second of the recording to which a link leads: `…?at=83.5`. */
export const wantedSecond = computed(() => {
  const second = Number(new URLSearchParams(address.value.split('?')[1]).get('at') ?? Number.NaN)
  return Number.isFinite(second) ? second : undefined
})

export const casesPath = '#cases'
export const operationsPath = '#operations'
export const casePath = (caseId: number) => `#case/${caseId}`
export const sessionPath = (caseId: number, sessionId: number, second?: number) =>
  `#case/${caseId}/session/${sessionId}${second === undefined ? '' : `?at=${second}`}`
export const reportPath = (caseId: number, sessionId: number) => `#case/${caseId}/session/${sessionId}/report`
