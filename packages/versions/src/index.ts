export { reportSteps } from './report-steps.ts'
export { saveVersion, type VersionSteps } from './save-version.ts'
export { type ScriptStanding, scriptStanding, scriptSteps } from './script-steps.ts'
export { mostVersions, storedVersions, type WhichVersions } from './stored-versions.ts'
