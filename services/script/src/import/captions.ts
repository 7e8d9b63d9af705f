import type { ScriptRecord } from '../records/record.ts'
import { fromSrt } from './srt.ts'
import { fromVtt } from './vtt.ts'

const byteOrderMark = Buffer.from('\ufeff')

/** The records of a captions file: WebVTT if it says so at its start, as it must, and SubRip otherwise. Throws 422. */
export function fromCaptions(bytes: Buffer, place: string[]): ScriptRecord[] {
  const start = bytes.subarray(0, 3).equals(byteOrderMark) ? 3 : 0
  const isVtt = bytes.subarray(start, start + 6).toString() === 'WEBVTT'
  return isVtt ? fromVtt(bytes, place) : fromSrt(bytes, place)
}
