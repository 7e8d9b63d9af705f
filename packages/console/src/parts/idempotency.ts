import { useRef } from 'preact/hooks'

/**
 * Returns a function that makes the idempotency key of a body. The same body gets the same key, so that a repetition after a lost response
 * does not create a second row.
 */
export function useIdempotency(): (body: object) => { 'idempotency-key': string } {
  const last = useRef({ text: '', key: '' })
  return (body) => {
    const text = JSON.stringify(body)
    if (text !== last.current.text) last.current = { text, key: randomKey() }
    return { 'idempotency-key': last.current.key }
  }
}

/** 128 random bits. `crypto.randomUUID` does not exist on pages that were loaded by plain HTTP. */
const randomKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')
