import { number } from '../parts/amounts.ts'
import { Wide } from '../parts/wide.tsx'
import { texts } from '../texts/operations.ts'
import type { Operations } from './use-operations.ts'

const states = ['waiting', 'later', 'begun', 'failed', 'refused'] as const

/** How many jobs of each name are in each state. */
export function Jobs({ of: { jobs } }: { of: Operations }) {
  return (
    <div class="stack">
      <h2>{texts.jobs}</h2>
      {jobs.length === 0 && <p class="quiet">{texts.noJobs}</p>}
      {jobs.length > 0 && (
        <Wide label={texts.jobs}>
          <thead>
            <tr>
              <th scope="col">{texts.job}</th>
              {states.map((state) => (
                <th key={state} scope="col" class="number">
                  {texts.states[state]}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {jobs.map((job) => (
              <tr key={job.name}>
                <th scope="row">
                  <code>{job.name}</code>
                </th>
                {states.map((state) => (
                  <td key={state} class="number">
                    {number(job[state])}
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </Wide>
      )}
    </div>
  )
}
