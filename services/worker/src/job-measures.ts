import { type AttemptEnd, attemptEnds, jobNames, type MeasureAttempt } from '@playtherapy/jobs'
import { isOutage } from '@playtherapy/schema'
import type { Meter } from '@playtherapy/service-kit'

/** Creates the metrics of jobs, and returns what counts an attempt that has ended. */
export function createJobMeasures(meter: Meter): MeasureAttempt {
  const count = meter.counter({
    name: 'job_attempts_total',
    help: 'Attempts at jobs that have ended, by how: done, failed, given_up, refused because of the input, postponed, put_back at a stop',
    labels: { kind: jobNames, outcome: attemptEnds },
  })
  const observe = meter.histogram(
    { name: 'job_duration_seconds', help: 'Time of an attempt at a job', labels: { kind: jobNames } },
    [0.01, 0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600],
  )
  return (kind, outcome: AttemptEnd, seconds, error) => {
    count({ kind, outcome })
    observe({ kind }, seconds)
    if (isOutage(error)) meter.countOutage()
  }
}
