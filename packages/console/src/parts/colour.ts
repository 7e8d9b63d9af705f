/** The colour of a CSS variable in a form that a canvas understands; `light-dark()` is resolved. */
export function colourOf(element: HTMLElement, name: string): string {
  element.style.color = `var(--${name})`
  const { color } = getComputedStyle(element)
  element.style.color = ''
  return color
}
