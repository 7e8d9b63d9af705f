import type { ComponentChildren } from 'preact'

/** Arrow keys scroll the element that has the focus. */
const focusable = { tabIndex: 0 }

/**
 * A table that scrolls sideways by itself if the page is too narrow for it. With `columns`, these are the texts of its header, and the
 * children are the rows.
 */
export function Wide({ label, columns, children }: { label: string; columns?: string[]; children: ComponentChildren }) {
  return (
    <section class="wide" aria-label={label} {...focusable}>
      <table>
        {columns ? (
          <>
            <thead>
              <tr>
                {columns.map((name) => (
                  <th key={name} scope="col">
                    {name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>{children}</tbody>
          </>
        ) : (
          children
        )}
      </table>
    </section>
  )
}
