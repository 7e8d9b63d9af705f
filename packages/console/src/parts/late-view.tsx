import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { texts } from '../texts/shell.ts'
import { Busy } from './busy.tsx'
import { Heading } from './heading.tsx'
import { Notice } from './notice.tsx'

/**
 * Makes a view whose code is a part of the page that is loaded when the view is first opened. Returns the view, and a function that loads
 * its code ahead. A view whose code does not come says so and can be asked for again; what other views hold stays as it is.
 */
export function lateView<Props extends object>(load: (isAhead?: boolean) => Promise<ComponentType<Props>>) {
  let Loaded: ComponentType<Props> | undefined
  const prepare = async (isAhead?: boolean) => {
    Loaded ??= await load(isAhead)
  }
  function View(props: Props) {
    const [isMissing, setMissing] = useState(false)
    const [, setLoaded] = useState(Loaded !== undefined)
    const ask = () => {
      setMissing(false)
      prepare().then(
        () => setLoaded(true),
        () => setMissing(true),
      )
    }
    useEffect(() => {
      if (!Loaded) ask()
    }, [])
    if (Loaded) return <Loaded {...props} />
    if (!isMissing)
      return (
        <main>
          <Busy />
        </main>
      )
    return (
      <main>
        <Heading title={texts.name} />
        <Notice tone="alert" onRetry={ask}>
          <p>{texts.missing}</p>
        </Notice>
      </main>
    )
  }
  return { View, prepare }
}
