const prefix = 'playtherapy.player.'

/** Reads what somebody has set before in this browser, which may refuse to store anything. */
export function remembered(name: string): string | null {
  try {
    return localStorage.getItem(prefix + name)
  } catch {
    return null
  }
}

export function remember(name: string, value: string): void {
  try {
    localStorage.setItem(prefix + name, value)
  } catch {
    // It holds for this visit only.
  }
}
