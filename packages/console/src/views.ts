import { part } from './late-parts.ts'
import { lateView } from './parts/late-view.tsx'

/** The views that are parts of their own. The list of cases comes with the page, because everybody begins there. */
const { View: SessionView, prepare: loadSession } = lateView(
  part(() => import('./session/session-view.tsx').then((view) => view.SessionView)),
)
const { View: OperationsView, prepare: loadOperations } = lateView(
  part(() => import('./operations/operations-view.tsx').then((view) => view.OperationsView)),
)

export { OperationsView, SessionView }
/** Load the views ahead, in the order in which they are usually opened. */
export const loadViews = [loadSession, loadOperations]
