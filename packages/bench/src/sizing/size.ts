import { cpuSecondsOf } from '../simulation/ways.ts'
import { bounds, costs, type Habits } from './known.ts'

const gibibyte = 1024 ** 3
const hour = 3_600
/** In a night everything of the day is finished, also where a worker was away for some hours. */
const encodeHours = 20

/** What an installation for so many clinics needs. */
export interface Size {
  clinics: number
  recordingsADay: number
  uploadedGiBADay: number
  encodeCpuHoursADay: number
  /** Processes of each kind, as Compose and Kubernetes run them: one core each. */
  processes: { gateway: number; contents: number; media: number; script: number; worker: number }
  /** Cores of PostgreSQL in the busiest hour that the lists take; it has other work, too. */
  databaseCores: number
  /** What `max_connections` of PostgreSQL has to allow, beside those of an operator. */
  connections: number
  storedTiBAYear: number
  auditRowsAYear: number
  auditGiBAYear: number
}

/** Computes what so many clinics with these habits need. Nothing is rounded but numbers of processes. */
export function sizeOf(clinics: number, habits: Habits): Size {
  const therapists = clinics * habits.therapists
  const recordings = therapists * habits.sessions
  const seconds = habits.minutes * 60
  const bytes = (habits.megabits * 1e6 * seconds) / 8
  const uploadedGiB = (recordings * bytes) / gibibyte
  const whole = (isPlayable: boolean) => cpuSecondsOf({ therapist: 0, seconds, isPlayable }).whole
  const encodeSeconds = recordings * (habits.playable * whole(true) + (1 - habits.playable) * whole(false))
  const lists = therapists * habits.lists

  // Cores of each kind in the busiest hour.
  const inHour = (cpuSecondsADay: number) => (cpuSecondsADay * habits.busiest) / hour
  const playedMiB = habits.views * uploadedGiB * 1024
  const cores = {
    contents: inHour((lists / 1000) * costs.list.value),
    media: inHour(uploadedGiB * costs.upload.value + (playedMiB * costs.playback.value) / 1000),
    // An upload passes through the gateway, too. It is taken to cost what playback does.
    gateway: inHour(((playedMiB + uploadedGiB * 1024) * costs.playbackGateway.value) / 1000),
  }
  const uploadHours = (bytes * 8) / (habits.uplink * 1e6) / hour
  const uploadsAtOnce = recordings * habits.busiest * uploadHours
  // From ten clinics on one process may go without anybody noticing.
  const least = clinics < 10 ? 1 : 2
  const count = (needed: number) => Math.max(least, Math.ceil(needed / habits.full))
  const processes = {
    gateway: count(cores.gateway),
    contents: count(cores.contents),
    media: Math.max(count(cores.media), Math.ceil(uploadsAtOnce / bounds.uploads.value)),
    script: least,
    worker: Math.max(least, Math.ceil(encodeSeconds / (encodeHours * hour))),
  }
  const { contents, media, script, worker } = processes
  const encodedKbits = bounds.upperKbits.value + bounds.lowerKbits.value + bounds.soundKbits.value
  // The original, the rungs and the sound, and an MP4 of the upper rung with its sound.
  const storedBytes = bytes + ((encodedKbits + bounds.upperKbits.value + bounds.soundKbits.value) * 1000 * seconds) / 8
  const auditRows = (lists / 1000) * costs.auditRows.value * habits.days
  return {
    clinics,
    recordingsADay: recordings,
    uploadedGiBADay: uploadedGiB,
    encodeCpuHoursADay: encodeSeconds / hour,
    processes,
    databaseCores: inHour((lists / 1000) * costs.listDatabase.value),
    connections:
      (contents + media + script) * bounds.serviceConnections.value +
      contents +
      worker * bounds.workerConnections.value,
    storedTiBAYear: (recordings * habits.days * storedBytes) / 1024 ** 4,
    auditRowsAYear: auditRows,
    auditGiBAYear: (auditRows * costs.auditRow.value) / gibibyte,
  }
}
