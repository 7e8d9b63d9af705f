import { computed, type ReadonlySignal, signal } from '@preact/signals'
import { applyChange, type Change, insisting, inverse, type Row, toPatch } from './change.ts'

/** A change of this page that cannot be saved as it is: another person has changed the same, or the service has refused it. */
export interface Conflict {
  change: Change
  /** The refusal of the service; undefined if another person has changed the same. */
  failure?: unknown
}

/** An open script: the stored version, the changes that are not saved yet, and those that can be undone. */
export interface OpenScript {
  /** The number of the stored version; 0 for none, undefined until it is known. */
  version: ReadonlySignal<number | undefined>
  /** The rows of that version. */
  stored: ReadonlySignal<readonly Row[]>
  /** The rows of that version with all changes of this page. */
  rows: ReadonlySignal<readonly Row[]>
  /** Changes that are not saved yet, oldest first. */
  pending: ReadonlySignal<readonly Change[]>
  conflicts: ReadonlySignal<readonly Conflict[]>
  canUndo: ReadonlySignal<boolean>
  canRedo: ReadonlySignal<boolean>
  /** Applies a change. If that is not possible it becomes a conflict, so that nothing typed is lost. */
  commit(change: Change): void
  /** Undoes the last change of this page, or applies it again. Returns false if another person has changed the same since then. */
  undo(): boolean
  redo(): boolean
  /** The first pending change was saved as this version, which has these rows. */
  saved(version: number, next: readonly Row[]): void
  /** The stored version is another one now, which has these rows. */
  overtaken(version: number, later: readonly Row[]): void
  /** The service has refused the first pending change for good. */
  refused(failure: unknown): void
  /** Ends a conflict: the stored records stay, or the change of this page is applied in spite of them. */
  settle(conflict: Conflict, take: 'theirs' | 'mine'): void
}

const keysOf = (rows: readonly Row[]) => new Set(rows.map(({ key }) => key))

export function createOpenScript(): OpenScript {
  const version = signal<number | undefined>(undefined)
  const stored = signal<readonly Row[]>([])
  const rows = signal<readonly Row[]>([])
  const pending = signal<readonly Change[]>([])
  const conflicts = signal<readonly Conflict[]>([])
  const done = signal<readonly Change[]>([])
  const undone = signal<readonly Change[]>([])

  /** Returns the rows with a change applied. If that is not possible the change becomes a conflict, and the rows stay as they are. */
  function make(onto: readonly Row[], change: Change): readonly Row[] {
    const touched = keysOf(change.before)
    const open = conflicts.value.find((conflict) => conflict.change.after.some(({ key }) => touched.has(key)))
    const composed = open && applyChange(open.change.after, change)
    if (composed) {
      const { failure, change: first } = open
      const together = { ...(failure !== undefined && { failure }), change: { ...first, after: composed } }
      conflicts.value = conflicts.value.map((conflict) => (conflict === open ? together : conflict))
      return onto
    }
    const next = applyChange(onto, change)
    if (!next) {
      conflicts.value = [...conflicts.value, { change }]
      done.value = done.value.filter((other) => other !== change)
      return onto
    }
    if (toPatch(onto, change, next).length > 0) pending.value = [...pending.value, change]
    return next
  }

  function rebase(later: readonly Row[], changes: readonly Change[]) {
    stored.value = later
    pending.value = []
    rows.value = changes.reduce(make, later)
  }

  /** Applies the last change of one list, or its inverse, and moves the change to the other list. */
  function step(from: typeof done, to: typeof done, changeOf: (change: Change) => Change): boolean {
    const change = from.value.at(-1)
    if (!change) return true
    from.value = from.value.slice(0, -1)
    const wanted = changeOf(change)
    const next = applyChange(rows.value, wanted)
    if (!next) return false
    to.value = [...to.value, change]
    rows.value = make(rows.value, wanted)
    return true
  }

  return {
    version,
    stored,
    rows,
    pending,
    conflicts,
    canUndo: computed(() => done.value.length > 0),
    canRedo: computed(() => undone.value.length > 0),
    commit(change) {
      done.value = [...done.value, change]
      undone.value = []
      rows.value = make(rows.value, change)
    },
    undo: () => step(done, undone, inverse),
    redo: () => step(undone, done, (change) => change),
    saved(number, next) {
      version.value = number
      stored.value = next
      pending.value = pending.value.slice(1)
    },
    overtaken(number, later) {
      version.value = number
      rebase(later, pending.value)
    },
    refused(failure) {
      const [change, ...others] = pending.value
      if (!change) return
      conflicts.value = [...conflicts.value, { change, failure }]
      done.value = done.value.filter((other) => other !== change)
      rebase(stored.value, others)
    },
    settle(conflict, take) {
      conflicts.value = conflicts.value.filter((other) => other !== conflict)
      if (take === 'theirs') return
      this.commit(insisting(rows.value, conflict.change))
    },
  }
}
