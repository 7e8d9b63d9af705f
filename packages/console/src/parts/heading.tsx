import type { ComponentChildren } from 'preact'
import { useEffect, useLayoutEffect, useRef } from 'preact/hooks'
import { texts } from '../texts/shell.ts'

/** The views above a view, beginning with the list of cases. */
export type Trail = { path: string; name: string }[]

/**
 * The heading of a view, below the trail that leads to it. It receives the focus when the view is opened, so that a keyboard or a screen
 * reader begins there. It is also the title of the page in the browser.
 */
export function Heading({
  title,
  trail = [],
  children,
}: {
  title: string
  trail?: Trail
  /** The actions beside the heading. */
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
