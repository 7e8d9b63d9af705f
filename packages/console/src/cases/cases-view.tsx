export function CasesView() {
  return <main>Cases</main>
}
