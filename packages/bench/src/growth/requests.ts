import type { Request } from '../load.ts'
import type { Reader } from './readers.ts'

/** The addresses of the services on one database. */
export interface Services {
  contents: string
  media: string
  script: string
}

type Read = (services: Services, reader: Reader) => Pick<Request, 'url' | 'method'>

const ofCase = ({ caseId }: Reader) => `/contents/api/case/${caseId}`
const ofSession = (reader: Reader) => `${ofCase(reader)}/session/${reader.sessionId}`
const contents =
  (path: (reader: Reader) => string): Read =>
  (services, reader) => ({ url: services.contents + path(reader) })
const script =
  (path: (reader: Reader) => string): Read =>
  (services, reader) => ({ url: services.script + path(reader) })

const found = encodeURIComponent('수줍음')

/** Every kind of read that a therapist's page makes, by what it is called in the table. */
export const reads: Record<string, Read> = {
  'case list': contents(() => '/contents/api/case?skip=0&limit=10'),
  'pages of cases': contents(() => '/contents/api/case/total-num'),
  'keyword search': contents(() => `/contents/api/case/total-num?keyword=${found}`),
  'one case': contents(ofCase),
  'session list': contents((reader) => `${ofCase(reader)}/session?skip=0&limit=10`),
  'one session': contents(ofSession),
  report: contents((reader) => `${ofSession(reader)}/analyze-report`),
  'report versions': contents((reader) => `${ofSession(reader)}/analyze-report/versions`),
  'report trend': contents((reader) => `${ofCase(reader)}/report-trend`),
  'audit of a case': contents((reader) => `${ofCase(reader)}/audit`),
  export: contents((reader) => `${ofCase(reader)}/export`),
  erasures: contents(() => '/contents/api/erasure'),
  'playback links': ({ media }, reader) => ({ url: `${media}${ofSession(reader)}/playback`, method: 'POST' }),
  video: ({ media }, reader) => ({ url: `${media}${ofSession(reader)}/video` }),
  'video state': ({ media }, reader) => ({ url: `${media}${ofSession(reader)}/video/state` }),
  script: script((reader) => `${ofSession(reader)}/script`),
  captions: script((reader) => `${ofSession(reader)}/script.vtt`),
  'script versions': script((reader) => `${ofSession(reader)}/script/versions`),
  'script summary': script((reader) => `${ofSession(reader)}/script/summary`),
  'script search': script((reader) => `${ofCase(reader)}/script-search?keyword=${encodeURIComponent('집을')}`),
}
