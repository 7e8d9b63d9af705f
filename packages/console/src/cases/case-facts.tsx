import type { Case } from '@playtherapy/client'
import { texts } from '../texts/cases.ts'
import { dayOf } from './name.ts'

const tones = ['', 'started', 'done']

/** The facts about a case in one line. */
export function CaseFacts({ of: { description, session_count, start_date, case_state_id: state } }: { of: Case }) {
  const { age, gender } = description
  const known: Record<string, string> = texts.genders
  const facts = [
    typeof age === 'number' || (typeof age === 'string' && age !== '') ? texts.years(age) : '',
    typeof gender === 'string' ? (known[gender] ?? gender) : '',
    texts.sessions(session_count),
    texts.since(dayOf(start_date)),
  ]
  return (
    <p class="facts quiet">
      <span class={`state ${tones[state - 1] ?? ''}`}>{texts.states[state - 1]}</span>
      <span>{facts.filter(Boolean).join(' · ')}</span>
    </p>
  )
}
