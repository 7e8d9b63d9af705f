// Made from the OpenAPI document by `npm run generate-client`: change the routes, not this file.
/** The codes of services/contract.md, "Errors", that each operation may be refused with. */
export interface ErrorCodes {
  'health.live': 8
  'health.ready': 8 | 10
  'cases.list': 0 | 4 | 8 | 10 | 500
  'cases.create': 0 | 8 | 9 | 10 | 500
  'cases.countPages': 0 | 8 | 10 | 500
  'cases.get': 0 | 2 | 8 | 10 | 500
  'cases.replace': 0 | 2 | 8 | 9 | 10 | 500
  'cases.delete': 0 | 2 | 8 | 10 | 500
  'sessions.list': 0 | 2 | 4 | 8 | 10 | 500
  'sessions.create': 0 | 2 | 8 | 9 | 10 | 500
  'sessions.countPages': 0 | 2 | 8 | 10 | 500
  'sessions.get': 0 | 2 | 3 | 8 | 10 | 500
  'sessions.replace': 0 | 2 | 3 | 8 | 9 | 10 | 500 | 1000
  'sessions.delete': 0 | 2 | 3 | 8 | 10 | 500
  'reports.get': 0 | 2 | 3 | 7 | 8 | 10 | 11 | 500 | 1001
  'reports.store': 0 | 2 | 3 | 8 | 9 | 10 | 500 | 1000
  'reports.listVersions': 0 | 2 | 3 | 8 | 10 | 500
  'reports.getVersion': 0 | 2 | 3 | 7 | 8 | 10 | 11 | 500 | 1001
  'reports.trend': 0 | 2 | 8 | 10 | 500 | 1001
  'erasures.list': 0 | 8 | 10 | 500
  'erasures.get': 0 | 8 | 10 | 404 | 500
  'audit.list': 0 | 2 | 8 | 10 | 500
  'exports.create': 0 | 2 | 8 | 9 | 10 | 409 | 500
  'exports.get': 0 | 2 | 8 | 10 | 404 | 500
  'exports.createLink': 0 | 2 | 8 | 10 | 404 | 500
  'erasures.listKeys': 8 | 10 | 500
  'events.stream': 0 | 2 | 8 | 10 | 500
  'events.createTicket': 0 | 8 | 10 | 500
  'events.streamByTicket': 2 | 8 | 10 | 404 | 500
  'operations.get': 0 | 8 | 10 | 500
  'operations.retry': 0 | 8 | 10 | 404 | 500
  'videos.upload': 0 | 2 | 3 | 8 | 9 | 10 | 500 | 1000
  'videos.get': 0 | 2 | 3 | 4 | 5 | 8 | 10 | 11 | 500 | 1001
  'videos.head': 0 | 2 | 3 | 4 | 5 | 8 | 10 | 11 | 500 | 1001
  'videos.delete': 0 | 2 | 3 | 5 | 8 | 10 | 500
  'videos.presign': 0 | 2 | 3 | 8 | 10 | 500
  'videos.getState': 0 | 2 | 3 | 5 | 8 | 10 | 500
  'uploads.discover': 8
  'uploads.create': 0 | 2 | 3 | 8 | 9 | 10 | 412 | 415 | 460 | 500 | 1000
  'uploads.append': 0 | 2 | 3 | 8 | 9 | 10 | 404 | 409 | 410 | 412 | 415 | 423 | 460 | 500 | 1000
  'uploads.head': 0 | 2 | 3 | 8 | 10 | 404 | 410 | 412 | 423 | 500
  'uploads.delete': 0 | 2 | 3 | 8 | 10 | 404 | 410 | 412 | 423 | 500
  'playback.createLinks': 0 | 2 | 3 | 8 | 10 | 500
  'playback.getMp4': 4 | 10 | 11 | 404 | 500 | 1001
  'playback.getMaster': 10 | 404 | 500
  'playback.captionsPlaylist': 10 | 404 | 500
  'playback.upperPlaylist': 10 | 404 | 500
  'playback.upperMedia': 4 | 10 | 11 | 404 | 500 | 1001
  'playback.lowerPlaylist': 10 | 404 | 500
  'playback.lowerMedia': 4 | 10 | 11 | 404 | 500 | 1001
  'playback.soundPlaylist': 10 | 404 | 500
  'playback.soundMedia': 4 | 10 | 11 | 404 | 500 | 1001
  'playback.getPoster': 4 | 10 | 11 | 404 | 500 | 1001
  'playback.getStoryboardImage': 4 | 10 | 11 | 404 | 500 | 1001
  'playback.getStoryboard': 10 | 11 | 404 | 500
  'exports.download': 4 | 10 | 11 | 404 | 500 | 1001
  'scripts.save': 0 | 2 | 3 | 8 | 9 | 10 | 11 | 500 | 1000
  'scripts.get': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.patch': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 12 | 500 | 1000 | 1001
  'scripts.import': 0 | 2 | 3 | 8 | 9 | 10 | 11 | 500 | 1000
  'scriptVersions.get': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.exportJson': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.exportJson': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.exportVtt': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.exportVtt': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.exportSrt': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.exportSrt': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.exportTxt': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.exportTxt': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.exportCsv': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.exportCsv': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scripts.exportXlsx': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.exportXlsx': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1001
  'scriptVersions.list': 0 | 2 | 3 | 8 | 10 | 500
  'scriptVersions.restore': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 11 | 500 | 1000 | 1001
  'scriptVersions.compare': 0 | 2 | 3 | 6 | 8 | 9 | 10 | 500 | 1001
  'scripts.summarize': 0 | 2 | 3 | 6 | 8 | 10 | 500 | 1001
  'scripts.search': 0 | 2 | 4 | 8 | 10 | 500
  'playback.getCaptions': 9 | 10 | 11 | 404 | 500 | 1001
  'auth.listChoices': 10
  'auth.signUp': 0 | 1 | 8 | 9 | 10 | 500
  'auth.signIn': 0 | 8 | 9 | 10 | 500
  'auth.verify': 0 | 8 | 10 | 500
  'auth.refresh': 0 | 8 | 10 | 500
  'auth.getAccount': 0 | 8 | 10 | 500
}
