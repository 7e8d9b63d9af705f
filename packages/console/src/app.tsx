import { token } from './account.ts'
import { CaseView } from './case/case-view.tsx'
import { CasesView } from './cases/cases-view.tsx'
import { OperationsView } from './operations/operations-view.tsx'
import { route } from './route.ts'
import { SessionView } from './session/session-view.tsx'
import { SignInView } from './sign-in-view.tsx'

/** The whole page: what the address names, for who is signed in. */
export function App() {
  if (!token.value) return <SignInView />
  const shown = route.value
  switch (shown.view) {
    case 'cases':
      return <CasesView />
    case 'case':
      return <CaseView key={shown.caseId} caseId={shown.caseId} />
    case 'session':
      return <SessionView key={shown.sessionId} {...shown} />
    case 'operations':
      return <OperationsView />
  }
}
