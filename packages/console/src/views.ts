import { part } from './late-parts.ts'
import { late } from './parts/late.tsx'

const isView = { isView: true }
/** The views that are parts of their own. Cases come with the page, because everybody begins there. */
const { Late: SessionView, prepare: loadSession } = late(
  part(() => import('./session/session-view.tsx').then((view) => view.SessionView)),
  isView,
)
const { Late: OperationsView, prepare: loadOperations } = late(
  part(() => import('./operations/operations-view.tsx').then((view) => view.OperationsView)),
  isView,
)

export { loadOperations, loadSession, OperationsView, SessionView }
