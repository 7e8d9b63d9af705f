// Made from the OpenAPI document by `npm run generate-client`: change the routes, not this file.
import type { CallOptions, Request } from '../call.ts'
import type * as types from './types.gen.ts'

export interface Api {
  health: {
    /** The process answers, and which version it is */
    live(request?: Request<types.HealthLiveData>, options?: CallOptions): Promise<types.HealthLiveResponses[200]>
    /** The process can do its work */
    ready(request?: Request<types.HealthReadyData>, options?: CallOptions): Promise<types.HealthReadyResponses[200]>
  }
  cases: {
    /** List cases, newest first */
    list(request?: Request<types.CasesListData>, options?: CallOptions): Promise<types.CasesListResponses[200]>
    /** Create a case */
    create(request: Request<types.CasesCreateData>, options?: CallOptions): Promise<types.CasesCreateResponses[200]>
    /** Number of pages of ten */
    countPages(request?: Request<types.CasesCountPagesData>, options?: CallOptions): Promise<types.CasesCountPagesResponses[200]>
    /** Read a case */
    get(request: Request<types.CasesGetData>, options?: CallOptions): Promise<types.CasesGetResponses[200]>
    /** Replace the writable fields of a case */
    replace(request: Request<types.CasesReplaceData>, options?: CallOptions): Promise<types.CasesReplaceResponses[200]>
    /** Delete a case, its sessions and everything stored for them */
    delete(request: Request<types.CasesDeleteData>, options?: CallOptions): Promise<types.CasesDeleteResponses[200]>
  }
  sessions: {
    /** List the sessions of a case, newest first */
    list(request: Request<types.SessionsListData>, options?: CallOptions): Promise<types.SessionsListResponses[200]>
    /** Create a session */
    create(request: Request<types.SessionsCreateData>, options?: CallOptions): Promise<types.SessionsCreateResponses[200]>
    /** Number of pages of ten */
    countPages(request: Request<types.SessionsCountPagesData>, options?: CallOptions): Promise<types.SessionsCountPagesResponses[200]>
    /** Read a session */
    get(request: Request<types.SessionsGetData>, options?: CallOptions): Promise<types.SessionsGetResponses[200]>
    /** Replace the writable fields of a session */
    replace(request: Request<types.SessionsReplaceData>, options?: CallOptions): Promise<types.SessionsReplaceResponses[200]>
    /** Delete a session and everything stored for it */
    delete(request: Request<types.SessionsDeleteData>, options?: CallOptions): Promise<types.SessionsDeleteResponses[200]>
  }
  reports: {
    /** Read the newest analysis report */
    get(request: Request<types.ReportsGetData>, options?: CallOptions): Promise<types.ReportsGetResponses[200]>
    /** Deliver an analysis report */
    store(request: Request<types.ReportsStoreData>, options?: CallOptions): Promise<types.ReportsStoreResponses[200]>
    /** List the versions of the analysis report */
    listVersions(request: Request<types.ReportsListVersionsData>, options?: CallOptions): Promise<types.ReportsListVersionsResponses[200]>
    /** Read one version of the analysis report */
    getVersion(request: Request<types.ReportsGetVersionData>, options?: CallOptions): Promise<types.ReportsGetVersionResponses[200]>
    /** Levels of each category over the sessions of a case */
    trend(request: Request<types.ReportsTrendData>, options?: CallOptions): Promise<types.ReportsTrendResponses[200]>
  }
  erasures: {
    /** List erasures, newest first, a hundred at a time */
    list(request?: Request<types.ErasuresListData>, options?: CallOptions): Promise<types.ErasuresListResponses[200]>
    /** See how far an erasure is, and get its receipt */
    get(request: Request<types.ErasuresGetData>, options?: CallOptions): Promise<types.ErasuresGetResponses[200]>
    /** The public keys by which receipts are verified */
    listKeys(request?: Request<types.ErasuresListKeysData>, options?: CallOptions): Promise<types.ErasuresListKeysResponses[200]>
  }
  audit: {
    /** Who saw and changed what of a case, newest first */
    list(request: Request<types.AuditListData>, options?: CallOptions): Promise<types.AuditListResponses[200]>
  }
  exports: {
    /** Begin the export of all that is held of a case */
    create(request: Request<types.ExportsCreateData>, options?: CallOptions): Promise<types.ExportsCreateResponses[200]>
    /** See how far the export of a case is */
    get(request: Request<types.ExportsGetData>, options?: CallOptions): Promise<types.ExportsGetResponses[200]>
    /** Get a link that downloads the export */
    createLink(request: Request<types.ExportsCreateLinkData>, options?: CallOptions): Promise<types.ExportsCreateLinkResponses[200]>
    /** Download the export of a link */
    download(request: Request<types.ExportsDownloadData>, options?: CallOptions): Promise<Response>
  }
  events: {
    /** Follow what changes */
    stream(request?: Request<types.EventsStreamData>, options?: CallOptions): Promise<Response>
    /** Get an address for EventSource, which sends no token */
    createTicket(request?: Request<types.EventsCreateTicketData>, options?: CallOptions): Promise<types.EventsCreateTicketResponses[200]>
    /** Follow what changes, by an address of events/ticket */
    streamByTicket(request: Request<types.EventsStreamByTicketData>, options?: CallOptions): Promise<Response>
  }
  operations: {
    /** See jobs, processes, pace and room */
    get(request?: Request<types.OperationsGetData>, options?: CallOptions): Promise<types.OperationsGetResponses[200]>
    /** Announce a job again that was given up */
    retry(request: Request<types.OperationsRetryData>, options?: CallOptions): Promise<types.OperationsRetryResponses[200]>
  }
  videos: {
    /** Upload a recording */
    upload(request: Request<types.VideosUploadData>, options?: CallOptions): Promise<types.VideosUploadResponses[201]>
    /** Play the encoded recording */
    get(request: Request<types.VideosGetData>, options?: CallOptions): Promise<Response>
    /** Size and ETag of the encoded recording */
    head(request: Request<types.VideosHeadData>, options?: CallOptions): Promise<Response>
    /** Delete the recording of a session */
    delete(request: Request<types.VideosDeleteData>, options?: CallOptions): Promise<types.VideosDeleteResponses[200]>
    /** Issue a URL to upload a recording straight to the object store */
    presign(request: Request<types.VideosPresignData>, options?: CallOptions): Promise<types.VideosPresignResponses[200]>
    /** Read the state of the newest recording */
    getState(request: Request<types.VideosGetStateData>, options?: CallOptions): Promise<types.VideosGetStateResponses[200]>
  }
  uploads: {
    /** Ask what the server knows of resumable uploads */
    discover(request: Request<types.UploadsDiscoverData>, options?: CallOptions): Promise<{ data: void; tusVersion: string; tusExtension: string; tusMaxSize: number; tusChecksumAlgorithm: string }>
    /** Begin a resumable upload */
    create(request: Request<types.UploadsCreateData>, options?: CallOptions): Promise<{ data: void; location: string; uploadOffset: number; uploadExpires: string }>
    /** Go on with a resumable upload */
    append(request: Request<types.UploadsAppendData>, options?: CallOptions): Promise<{ data: void; uploadOffset: number; uploadExpires: string }>
    /** Ask how far a resumable upload has come */
    head(request: Request<types.UploadsHeadData>, options?: CallOptions): Promise<{ data: void; uploadOffset: number; uploadLength: number; uploadDeferLength: string; uploadMetadata: string; uploadExpires: string }>
    /** Cancel a resumable upload */
    delete(request: Request<types.UploadsDeleteData>, options?: CallOptions): Promise<void>
  }
  playback: {
    /** Get links that play the recording */
    createLinks(request: Request<types.PlaybackCreateLinksData>, options?: CallOptions): Promise<types.PlaybackCreateLinksResponses[200]>
    /** Play the recording of a link */
    getMp4(request: Request<types.PlaybackGetMp4Data>, options?: CallOptions): Promise<Response>
    /** The main playlist of HLS */
    getMaster(request: Request<types.PlaybackGetMasterData>, options?: CallOptions): Promise<string>
    /** The playlist of the captions */
    captionsPlaylist(request: Request<types.PlaybackCaptionsPlaylistData>, options?: CallOptions): Promise<string>
    /** The playlist of the rung upper */
    upperPlaylist(request: Request<types.PlaybackUpperPlaylistData>, options?: CallOptions): Promise<string>
    /** The segments of the rung upper */
    upperMedia(request: Request<types.PlaybackUpperMediaData>, options?: CallOptions): Promise<Response>
    /** The playlist of the rung lower */
    lowerPlaylist(request: Request<types.PlaybackLowerPlaylistData>, options?: CallOptions): Promise<string>
    /** The segments of the rung lower */
    lowerMedia(request: Request<types.PlaybackLowerMediaData>, options?: CallOptions): Promise<Response>
    /** The playlist of the rung sound */
    soundPlaylist(request: Request<types.PlaybackSoundPlaylistData>, options?: CallOptions): Promise<string>
    /** The segments of the rung sound */
    soundMedia(request: Request<types.PlaybackSoundMediaData>, options?: CallOptions): Promise<Response>
    /** JPEG: a picture of the recording */
    getPoster(request: Request<types.PlaybackGetPosterData>, options?: CallOptions): Promise<Response>
    /** JPEG: all small pictures in one */
    getStoryboardImage(request: Request<types.PlaybackGetStoryboardImageData>, options?: CallOptions): Promise<Response>
    /** Where the small picture of each moment is */
    getStoryboard(request: Request<types.PlaybackGetStoryboardData>, options?: CallOptions): Promise<string>
    /** The newest script as captions */
    getCaptions(request: Request<types.PlaybackGetCaptionsData> & { 'if-none-match': string }, options?: CallOptions): Promise<{ data: undefined | string; etag: string; scriptVersion: number }>
    getCaptions(request: Request<types.PlaybackGetCaptionsData>, options?: CallOptions): Promise<{ data: string; etag: string; scriptVersion: number }>
  }
  scripts: {
    /** Save a script as a new version */
    save(request: Request<types.ScriptsSaveData>, options?: CallOptions): Promise<{ data: types.ScriptsSaveResponses[200]; etag: string; scriptVersion: number }>
    /** Read the newest script */
    get(request: Request<types.ScriptsGetData> & { 'if-none-match': string }, options?: CallOptions): Promise<{ data: undefined | types.ScriptsGetResponses[200]; etag: string; scriptVersion: number }>
    get(request: Request<types.ScriptsGetData>, options?: CallOptions): Promise<{ data: types.ScriptsGetResponses[200]; etag: string; scriptVersion: number }>
    /** Change a part of the newest script */
    patch(request: Request<types.ScriptsPatchData>, options?: CallOptions): Promise<{ data: types.ScriptsPatchResponses[200]; etag: string; scriptVersion: number }>
    /** Save captions as a new version of the script */
    import(request: Request<types.ScriptsImportData>, options?: CallOptions): Promise<{ data: types.ScriptsImportResponses[200]; etag: string; scriptVersion: number }>
    /** The newest script as JSON, as it was sent */
    exportJson(request: Request<types.ScriptsExportJsonData>, options?: CallOptions): Promise<Response>
    /** The newest script as WebVTT, for the video's captions track */
    exportVtt(request: Request<types.ScriptsExportVttData>, options?: CallOptions): Promise<Response>
    /** The newest script as SubRip */
    exportSrt(request: Request<types.ScriptsExportSrtData>, options?: CallOptions): Promise<Response>
    /** The newest script as text to paste */
    exportTxt(request: Request<types.ScriptsExportTxtData>, options?: CallOptions): Promise<Response>
    /** The newest script as CSV */
    exportCsv(request: Request<types.ScriptsExportCsvData>, options?: CallOptions): Promise<Response>
    /** The newest script as an Excel workbook */
    exportXlsx(request: Request<types.ScriptsExportXlsxData>, options?: CallOptions): Promise<Response>
    /** How the talk of the newest script was shared */
    summarize(request: Request<types.ScriptsSummarizeData>, options?: CallOptions): Promise<types.ScriptsSummarizeResponses[200]>
    /** Search the newest script of each of a case's sessions */
    search(request: Request<types.ScriptsSearchData>, options?: CallOptions): Promise<types.ScriptsSearchResponses[200]>
  }
  scriptVersions: {
    /** Read one version of the script */
    get(request: Request<types.ScriptVersionsGetData> & { 'if-none-match': string }, options?: CallOptions): Promise<{ data: undefined | types.ScriptVersionsGetResponses[200]; etag: string; scriptVersion: number }>
    get(request: Request<types.ScriptVersionsGetData>, options?: CallOptions): Promise<{ data: types.ScriptVersionsGetResponses[200]; etag: string; scriptVersion: number }>
    /** A version as JSON, as it was sent */
    exportJson(request: Request<types.ScriptVersionsExportJsonData>, options?: CallOptions): Promise<Response>
    /** A version as WebVTT, for the video's captions track */
    exportVtt(request: Request<types.ScriptVersionsExportVttData>, options?: CallOptions): Promise<Response>
    /** A version as SubRip */
    exportSrt(request: Request<types.ScriptVersionsExportSrtData>, options?: CallOptions): Promise<Response>
    /** A version as text to paste */
    exportTxt(request: Request<types.ScriptVersionsExportTxtData>, options?: CallOptions): Promise<Response>
    /** A version as CSV */
    exportCsv(request: Request<types.ScriptVersionsExportCsvData>, options?: CallOptions): Promise<Response>
    /** A version as an Excel workbook */
    exportXlsx(request: Request<types.ScriptVersionsExportXlsxData>, options?: CallOptions): Promise<Response>
    /** List the versions of the script */
    list(request: Request<types.ScriptVersionsListData>, options?: CallOptions): Promise<types.ScriptVersionsListResponses[200]>
    /** Bring a version back, as a new one */
    restore(request: Request<types.ScriptVersionsRestoreData>, options?: CallOptions): Promise<{ data: types.ScriptVersionsRestoreResponses[200]; etag: string; scriptVersion: number }>
    /** What changed from one version of the script to another */
    compare(request: Request<types.ScriptVersionsCompareData>, options?: CallOptions): Promise<types.ScriptVersionsCompareResponses[200]>
  }
  auth: {
    /** What the sign-up form offers */
    listChoices(request?: Request<types.AuthListChoicesData>, options?: CallOptions): Promise<types.AuthListChoicesResponses[200]>
    /** Make an account */
    signUp(request: Request<types.AuthSignUpData>, options?: CallOptions): Promise<types.AuthSignUpResponses[200]>
    /** Get a token, valid for a day */
    signIn(request: Request<types.AuthSignInData>, options?: CallOptions): Promise<types.AuthSignInResponses[200]>
    /** Read the claims of a token */
    verify(request?: Request<types.AuthVerifyData>, options?: CallOptions): Promise<types.AuthVerifyResponses[200]>
    /** Get a new token, valid for a day */
    refresh(request?: Request<types.AuthRefreshData>, options?: CallOptions): Promise<types.AuthRefreshResponses[200]>
    /** Read the account of a token */
    getAccount(request?: Request<types.AuthGetAccountData>, options?: CallOptions): Promise<types.AuthGetAccountResponses[200]>
  }
}

export const operations = {
  health: {
    live: {"method":"GET","path":"/health/live","open":true,"gives":"json"},
    ready: {"method":"GET","path":"/health/ready","open":true,"gives":"json"},
  },
  cases: {
    list: {"method":"GET","path":"/contents/api/case","query":["skip","limit","keyword"],"gives":"json"},
    create: {"method":"POST","path":"/contents/api/case","headers":["idempotency-key"],"body":"application/json","gives":"json"},
    countPages: {"method":"GET","path":"/contents/api/case/total-num","query":["keyword"],"gives":"json"},
    get: {"method":"GET","path":"/contents/api/case/{case_id}","gives":"json"},
    replace: {"method":"PUT","path":"/contents/api/case/{case_id}","body":"application/json","gives":"json"},
    delete: {"method":"DELETE","path":"/contents/api/case/{case_id}","gives":"json"},
  },
  sessions: {
    list: {"method":"GET","path":"/contents/api/case/{case_id}/session","query":["skip","limit","keyword"],"gives":"json"},
    create: {"method":"POST","path":"/contents/api/case/{case_id}/session","headers":["idempotency-key"],"body":"application/json","gives":"json"},
    countPages: {"method":"GET","path":"/contents/api/case/{case_id}/session/total-num","query":["keyword"],"gives":"json"},
    get: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}","gives":"json"},
    replace: {"method":"PUT","path":"/contents/api/case/{case_id}/session/{session_id}","body":"application/json","gives":"json"},
    delete: {"method":"DELETE","path":"/contents/api/case/{case_id}/session/{session_id}","gives":"json"},
  },
  reports: {
    get: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/analyze-report","gives":"json"},
    store: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/analyze-report","query":["script_version"],"body":"application/json","gives":"json"},
    listVersions: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/analyze-report/versions","query":["before"],"gives":"json"},
    getVersion: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/analyze-report/versions/{version}","gives":"json"},
    trend: {"method":"GET","path":"/contents/api/case/{case_id}/report-trend","gives":"json"},
  },
  erasures: {
    list: {"method":"GET","path":"/contents/api/erasure","query":["before"],"gives":"json"},
    get: {"method":"GET","path":"/contents/api/erasure/{id}","gives":"json"},
    listKeys: {"method":"GET","path":"/contents/api/erasure/keys","open":true,"gives":"json"},
  },
  audit: {
    list: {"method":"GET","path":"/contents/api/case/{case_id}/audit","query":["before"],"gives":"json"},
  },
  exports: {
    create: {"method":"POST","path":"/contents/api/case/{case_id}/export","body":"application/json","gives":"json"},
    get: {"method":"GET","path":"/contents/api/case/{case_id}/export","gives":"json"},
    createLink: {"method":"POST","path":"/contents/api/case/{case_id}/export/link","gives":"json"},
    download: {"method":"GET","path":"/contents/api/playback/{token}/export.zip","open":true,"headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
  },
  events: {
    stream: {"method":"GET","path":"/contents/api/events","query":["case_id","last_event_id"],"headers":["last-event-id"],"gives":"bytes"},
    createTicket: {"method":"POST","path":"/contents/api/events/ticket","gives":"json"},
    streamByTicket: {"method":"GET","path":"/contents/api/events/{ticket}","open":true,"query":["case_id","last_event_id"],"headers":["last-event-id"],"gives":"bytes"},
  },
  operations: {
    get: {"method":"GET","path":"/contents/api/operations","query":["after"],"gives":"json"},
    retry: {"method":"POST","path":"/contents/api/operations/jobs/{id}/retry","gives":"json"},
  },
  videos: {
    upload: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/video","body":"multipart/form-data","gives":"json"},
    get: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/video","headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
    head: {"method":"HEAD","path":"/contents/api/case/{case_id}/session/{session_id}/video","headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
    delete: {"method":"DELETE","path":"/contents/api/case/{case_id}/session/{session_id}/video","gives":"json"},
    presign: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/video/presigned-url","gives":"json"},
    getState: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/video/state","gives":"json"},
  },
  uploads: {
    discover: {"method":"OPTIONS","path":"/contents/api/case/{case_id}/session/{session_id}/video/tus","open":true,"gives":"none","answers":{"tus-version":"string","tus-extension":"string","tus-max-size":"number","tus-checksum-algorithm":"string"}},
    create: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/video/tus","headers":["tus-resumable","upload-length","upload-defer-length","upload-metadata","content-type","upload-checksum"],"body":"application/offset+octet-stream","gives":"none","answers":{"location":"string","upload-offset":"number","upload-expires":"string"}},
    append: {"method":"PATCH","path":"/contents/api/case/{case_id}/session/{session_id}/video/tus/{upload_id}","headers":["tus-resumable","upload-offset","upload-length","content-type","upload-checksum"],"body":"application/offset+octet-stream","gives":"none","answers":{"upload-offset":"number","upload-expires":"string"}},
    head: {"method":"HEAD","path":"/contents/api/case/{case_id}/session/{session_id}/video/tus/{upload_id}","headers":["tus-resumable"],"gives":"none","answers":{"upload-offset":"number","upload-length":"number","upload-defer-length":"string","upload-metadata":"string","upload-expires":"string"}},
    delete: {"method":"DELETE","path":"/contents/api/case/{case_id}/session/{session_id}/video/tus/{upload_id}","headers":["tus-resumable"],"gives":"none"},
  },
  playback: {
    createLinks: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/playback","gives":"json"},
    getMp4: {"method":"GET","path":"/contents/api/playback/{token}/video.mp4","open":true,"query":["download"],"headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
    getMaster: {"method":"GET","path":"/contents/api/playback/{token}/master.m3u8","open":true,"gives":"text"},
    captionsPlaylist: {"method":"GET","path":"/contents/api/playback/{token}/captions.m3u8","open":true,"gives":"text"},
    upperPlaylist: {"method":"GET","path":"/contents/api/playback/{token}/upper.m3u8","open":true,"gives":"text"},
    upperMedia: {"method":"GET","path":"/contents/api/playback/{token}/upper.mp4","open":true,"headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
    lowerPlaylist: {"method":"GET","path":"/contents/api/playback/{token}/lower.m3u8","open":true,"gives":"text"},
    lowerMedia: {"method":"GET","path":"/contents/api/playback/{token}/lower.mp4","open":true,"headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
    soundPlaylist: {"method":"GET","path":"/contents/api/playback/{token}/sound.m3u8","open":true,"gives":"text"},
    soundMedia: {"method":"GET","path":"/contents/api/playback/{token}/sound.mp4","open":true,"headers":["range","if-range","if-match","if-none-match"],"gives":"bytes"},
    getPoster: {"method":"GET","path":"/contents/api/playback/{token}/poster.jpg","open":true,"gives":"bytes"},
    getStoryboardImage: {"method":"GET","path":"/contents/api/playback/{token}/storyboard.jpg","open":true,"gives":"bytes"},
    getStoryboard: {"method":"GET","path":"/contents/api/playback/{token}/storyboard.vtt","open":true,"gives":"text"},
    getCaptions: {"method":"GET","path":"/contents/api/playback/{token}/captions.vtt","open":true,"headers":["if-match","if-none-match"],"gives":"text","answers":{"etag":"string","script-version":"number"}},
  },
  scripts: {
    save: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/script","headers":["if-match","if-none-match"],"body":"multipart/form-data","gives":"json","answers":{"etag":"string","script-version":"number"}},
    get: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script","headers":["if-match","if-none-match"],"gives":"json","answers":{"etag":"string","script-version":"number"}},
    patch: {"method":"PATCH","path":"/contents/api/case/{case_id}/session/{session_id}/script","headers":["if-match","if-none-match"],"body":"application/json-patch+json","gives":"json","answers":{"etag":"string","script-version":"number"}},
    import: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/script/import","headers":["if-match","if-none-match"],"body":"multipart/form-data","gives":"json","answers":{"etag":"string","script-version":"number"}},
    exportJson: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script.json","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportVtt: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script.vtt","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportSrt: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script.srt","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportTxt: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script.txt","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportCsv: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script.csv","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportXlsx: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script.xlsx","headers":["if-match","if-none-match"],"gives":"bytes"},
    summarize: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/summary","gives":"json"},
    search: {"method":"GET","path":"/contents/api/case/{case_id}/script-search","query":["keyword","skip","limit"],"gives":"json"},
  },
  scriptVersions: {
    get: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}","headers":["if-match","if-none-match"],"gives":"json","answers":{"etag":"string","script-version":"number"}},
    exportJson: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}.json","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportVtt: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}.vtt","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportSrt: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}.srt","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportTxt: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}.txt","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportCsv: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}.csv","headers":["if-match","if-none-match"],"gives":"bytes"},
    exportXlsx: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}.xlsx","headers":["if-match","if-none-match"],"gives":"bytes"},
    list: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions","query":["before"],"gives":"json"},
    restore: {"method":"POST","path":"/contents/api/case/{case_id}/session/{session_id}/script/versions/{version}/restore","headers":["if-match","if-none-match"],"gives":"json","answers":{"etag":"string","script-version":"number"}},
    compare: {"method":"GET","path":"/contents/api/case/{case_id}/session/{session_id}/script/changes","query":["from","to"],"gives":"json"},
  },
  auth: {
    listChoices: {"method":"GET","path":"/auth/api/config","open":true,"gives":"json"},
    signUp: {"method":"POST","path":"/auth/api/signup","open":true,"body":"application/json","gives":"json"},
    signIn: {"method":"POST","path":"/auth/api/signin","open":true,"body":"application/x-www-form-urlencoded","gives":"json"},
    verify: {"method":"POST","path":"/auth/api/verify","gives":"json"},
    refresh: {"method":"POST","path":"/auth/api/refresh","gives":"json"},
    getAccount: {"method":"GET","path":"/auth/api/user","gives":"json"},
  },
}
