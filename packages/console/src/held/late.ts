import { part } from '../late-parts.ts'
import { late } from '../parts/late.tsx'

const loadHeld = part(() => import('./held.tsx'))
/** What is opened seldom: the export of a case, who saw what of it, and the proofs of what was deleted. One part of the page has them all. */
const { Late: Events, prepare: prepareHeld } = late((isAhead) => loadHeld(isAhead).then((held) => held.Events))
const { Late: ErasurePage } = late((isAhead) => loadHeld(isAhead).then((held) => held.ErasurePage))
const { Late: ExportState } = late((isAhead) => loadHeld(isAhead).then((held) => held.ExportState))

export { ErasurePage, Events, ExportState, prepareHeld }
