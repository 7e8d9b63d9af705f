import { type ReadonlySignal, signal } from '@preact/signals'

export type Connection = 'connecting' | 'open' | 'lost'
const state = signal<Connection>('connecting')
/** Whether news arrive. */
export const connection: ReadonlySignal<Connection> = state
const missed = signal(0)
/** Rises where events were missed: what is shown has to be read anew, as `useLoad` does by itself. */
export const resets: ReadonlySignal<number> = missed

/** Resolves when the stream is open, or cannot be opened soon. */
export async function followed(): Promise<void> {}
