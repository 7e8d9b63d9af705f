import units from '../../results/unit-costs.json' with { type: 'json' }

/** A number that a size is computed from. */
export interface Known {
  value: number
  unit: string
  /** Where it comes from: a file of this repository, with words of it that a test finds there, or an assumption. */
  from: { file: string; says: string } | 'assumed'
}

const measured = (key: keyof typeof units.costs, unit: string): Known => ({
  value: units.costs[key],
  unit,
  from: { file: 'packages/bench/results/unit-costs.json', says: `"${key}"` },
})
const limits = 'packages/bench/results/limits.md'
const operating = '.docker/README.md'

/** What one unit of work costs. What an encode costs is in `simulation/costs.ts`. */
export const costs = {
  upload: measured('uploadCpuSecondsPerGiB', 'CPU seconds of media a GiB'),
  list: measured('listCpuSecondsPerThousand', 'CPU seconds of contents a thousand lists'),
  listDatabase: measured('listDatabaseCpuSecondsPerThousand', 'CPU seconds of PostgreSQL a thousand lists'),
  auditRows: measured('auditRowsPerThousandLists', 'rows of the audit trail a thousand lists'),
  auditRow: measured('auditRowBytes', 'bytes a row of the audit trail, with its indexes'),
  playback: {
    value: 3.2,
    unit: 'ms of media a MiB that is played',
    from: { file: limits, says: '| media | | 0.8 to 1.1 | 2.7 to 3.2 |' },
  },
  playbackGateway: {
    value: 0.7,
    unit: 'ms of nginx a MiB that is played',
    from: { file: limits, says: '| nginx | | 0.7 | |' },
  },
} satisfies Record<string, Known>

/** What one process may have, as the code and the Compose file bound it. */
export const bounds = {
  uploads: {
    value: 64,
    unit: 'uploads a media process',
    from: { file: operating, says: '64 uploads and 1,024 playbacks' },
  },
  serviceConnections: {
    value: 16,
    unit: 'connections of a service to PostgreSQL',
    from: { file: operating, says: 'at most 8 connections to PostgreSQL, 8 more while it searches or deletes' },
  },
  workerConnections: { value: 5, unit: 'connections of a worker', from: { file: operating, says: 'and a worker 5' } },
  upperKbits: {
    value: 6_000,
    unit: 'kbit/s of the upper rung at most',
    from: { file: 'packages/schema/src/rungs.ts', says: '[6_000, 700]' },
  },
  lowerKbits: {
    value: 700,
    unit: 'kbit/s of the lower rung at most',
    from: { file: 'packages/schema/src/rungs.ts', says: '[6_000, 700]' },
  },
  soundKbits: {
    value: 128,
    unit: 'kbit/s of the sound',
    from: { file: 'services/worker/src/encode/sound.ts', says: '-b:a 128k' },
  },
} satisfies Record<string, Known>

/** What clinics do. Each is an option of `npm run sizing`. */
export const habits = {
  therapists: { value: 4, unit: 'therapists a clinic', from: 'assumed' },
  sessions: { value: 5, unit: 'recorded sessions a therapist and day', from: 'assumed' },
  minutes: { value: 50, unit: 'minutes a recording', from: 'assumed' },
  megabits: {
    value: 8,
    unit: 'Mbit/s of a recording',
    from: { file: 'packages/bench/README.md', says: '1080p, 30 frames a second, 8 Mbit/s' },
  },
  playable: { value: 0.2, unit: 'of all recordings that need no encode of their picture', from: 'assumed' },
  views: { value: 1, unit: 'times that a recording is played', from: 'assumed' },
  lists: { value: 1_000, unit: 'lists a therapist and day', from: 'assumed' },
  days: { value: 250, unit: 'working days a year', from: 'assumed' },
  busiest: { value: 0.15, unit: 'of a day’s recordings that end in its busiest hour', from: 'assumed' },
  uplink: { value: 20, unit: 'Mbit/s in which a clinic uploads', from: 'assumed' },
  full: { value: 0.6, unit: 'of a core that a process may use in the busiest hour', from: 'assumed' },
} satisfies Record<string, Known>

export type Habits = Record<keyof typeof habits, number>
