import { claims, isOnlyOperator, token, tokenRefusal } from './account.ts'
import { CaseView } from './case/case-view.tsx'
import { CasesView } from './cases/cases-view.tsx'
import { Header } from './header.tsx'
import { Dialog } from './parts/dialog.tsx'
import { route } from './route.ts'
import { SignInForm, SignInView } from './sign-in-view.tsx'
import { texts } from './texts/shell.ts'
import { OperationsView, SessionView } from './views.ts'

/** The whole page: the view that the address names, for the signed-in therapist or operator. */
export function App() {
  if (token.value === null) return <SignInView />
  return (
    <>
      <Header />
      {/* A new key for each therapist: nothing that one has opened or typed is shown to the next. */}
      <View key={claims.value?.user_id} />
      {tokenRefusal.value && (
        <Dialog title={texts.ended} class="ended">
          <SignInForm reason={tokenRefusal.value} />
        </Dialog>
      )}
    </>
  )
}

function View() {
  if (isOnlyOperator.value) return <OperationsView />
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
