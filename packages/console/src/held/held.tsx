export { ErasurePage } from './erasures.tsx'
export { Events } from './events.tsx'
export { ExportState } from './export.tsx'
