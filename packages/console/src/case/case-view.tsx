export function CaseView({ caseId }: { caseId: number }) {
  return <main>Case {caseId}</main>
}
