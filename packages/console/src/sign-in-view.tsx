export function SignInView() {
  return <main>Sign in</main>
}
