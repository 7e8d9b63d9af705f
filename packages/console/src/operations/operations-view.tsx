export function OperationsView() {
  return <main>Operations</main>
}
