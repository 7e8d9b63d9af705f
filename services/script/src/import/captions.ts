import type { ScriptRecord } from '../records/record.ts'
import { fromSrt } from './srt.ts'
import { fromVtt } from './vtt.ts'

const utf8 = new TextDecoder()

/** The records of a captions file: WebVTT if it says so at its start, as it must, and SubRip otherwise. Throws 422. */
export function fromCaptions(bytes: Uint8Array, place: string[]): ScriptRecord[] {
  // The decoder passes over a byte order mark.
  const isVtt = utf8.decode(bytes.subarray(0, 9)).startsWith('WEBVTT')
  return isVtt ? fromVtt(bytes, place) : fromSrt(bytes, place)
}
