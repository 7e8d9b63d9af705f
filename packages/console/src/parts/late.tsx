import type { ComponentType } from 'preact'
import { useEffect, useState } from 'preact/hooks'
import { texts } from '../texts/shell.ts'
import { Busy } from './busy.tsx'
import { Heading } from './heading.tsx'
import { Notice } from './notice.tsx'

/**
 * Makes a view, or with `isView` false something in a view, whose code is a part of the page that is loaded when it is first opened. Returns
 * that, and a function that loads the code ahead. Where the code does not come, that is said, and it can be asked for again; what else the
 * page holds stays as it is.
 */
export function late<Props extends object>(
  load: (isAhead?: boolean) => Promise<ComponentType<Props>>,
  { isView = false }: { isView?: boolean } = {},
) {
  let Loaded: ComponentType<Props> | undefined
  const prepare = async (isAhead?: boolean) => {
    Loaded ??= await load(isAhead)
  }
  function Late(props: Props) {
    const [isMissing, setMissing] = useState(false)
    const [, setLoaded] = useState(Loaded !== undefined)
    const ask = () => {
      setMissing(false)
      prepare().then(
        () => setLoaded(true),
        () => setMissing(true),
      )
    }
    // Also where the code came between the first showing and now, or nothing would show it.
    useEffect(ask, [])
    if (Loaded) return <Loaded {...props} />
    const told = isMissing ? (
      <Notice tone="alert" onRetry={ask}>
        <p>{texts.missing}</p>
      </Notice>
    ) : (
      <Busy />
    )
    if (!isView) return told
    return (
      <main>
        {isMissing && <Heading title={texts.name} />}
        {told}
      </main>
    )
  }
  return { Late, prepare }
}
