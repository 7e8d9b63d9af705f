import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { texts } from '../texts/shell.ts'

/** What lies above a view, from the list of cases on. */
export type Trail = { path: string; name: string }[]

/**
 * The heading of a view, below the way to it. It takes the focus when the view comes up, so that a keyboard or a screen
 * reader begins there, and names the page in the browser.
 */
export function Heading({
  title,
  trail = [],
  children,
}: {
  title: string
  trail?: Trail
  /** Shown beside the heading, such as its actions. */
  children?: ComponentChildren
}) {
  const heading = useRef<HTMLHeadingElement>(null)
  useLayoutEffect(() => heading.current?.focus({ preventScroll: true }), [])
  useEffect(() => {
    document.title = `${title} · ${texts.name}`
  }, [title])
  return (
    <div class="heading">
      {trail.length > 0 && (
        <nav class="trail" aria-label={texts.where}>
          <ol>
            {trail.map(({ path, name }) => (
              <li key={path}>
                <a href={path}>{name}</a>
              </li>
            ))}
          </ol>
        </nav>
      )}
      <div class="row">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {children}
      </div>
    </div>
  )
}
