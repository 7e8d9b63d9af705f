/** The colour of a variable as a canvas takes it: a variable itself may be one of two colours. */
export function colourOf(element: HTMLElement, name: string): string {
  element.style.color = `var(--${name})`
  const { color } = getComputedStyle(element)
  element.style.color = ''
  return color
}
