import { useRef } from 'preact/hooks'

/**
 * Returns the key of a request that creates something: the same while the same body is sent, so that a repetition after a lost
 * response creates nothing a second time.
 */
export function useIdempotency(): (body: object) => { 'idempotency-key': string } {
  const last = useRef({ text: '', key: '' })
  return (body) => {
    const text = JSON.stringify(body)
    if (text !== last.current.text) last.current = { text, key: randomKey() }
    return { 'idempotency-key': last.current.key }
  }
}

/** 128 random bits. `crypto.randomUUID` is missing where the page came by plain HTTP. */
const randomKey = () => Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')
