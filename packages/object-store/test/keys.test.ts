import t from 'tap'
import {
  attemptOf,
  audioPath,
  chunkPath,
  exportPath,
  idsOf,
  inFolder,
  originalPath,
  prefixesOf,
  previewPath,
  renditionPath,
  reportPath,
  rungPath,
  scriptPath,
} from '../src/index.ts'

const random = '[0-9a-f]{32}'

t.test('keys have the form of the contract, and cannot be guessed', async (t) => {
  const original = originalPath('RELEASE', 1, 22, 333)
  t.match(inFolder('video', original), new RegExp(`^video/RELEASE/1/22/333-${random}\\.mp4$`))
  const own = original.slice('RELEASE/1/22/333-'.length, -'.mp4'.length)
  t.equal(inFolder('video', renditionPath(original, 2)), `video/RELEASE/1/22/encoded_333-${own}-2.mp4`)
  t.equal(inFolder('video', audioPath(original, 7, 2)), `video/RELEASE/1/22/audio_333-${own}-7-2.m4a`)
  t.match(
    inFolder('script', scriptPath('ALPHA', 1, 22, 4)),
    new RegExp(`^script/ALPHA/1/22/script_v4-${random}\\.json$`),
  )
  t.match(
    inFolder('analyze_report', reportPath('LOCAL', 1, 22, 5)),
    new RegExp(`^analyze_report/LOCAL/1/22/analyze_report_v5-${random}\\.json$`),
  )
  const many = [originalPath, scriptPath, reportPath].flatMap((path) =>
    Array.from({ length: 100 }, () => path('LOCAL', 1, 2, 3)),
  )
  t.equal(new Set(many).size, 300, 'the same ids never give the same key')
})

t.test('ids are read from keys with and without the random part', async (t) => {
  const ids = { caseId: 1, sessionId: 22, videoId: 333 }
  for (const original of [originalPath('LOCAL', 1, 22, 333), 'LOCAL/1/22/333.mp4']) {
    t.strictSame(idsOf(original), ids)
    t.equal(attemptOf(original), undefined)
    const ofVideo = [renditionPath(original, 12), rungPath(original, 12, 'lower'), previewPath(original, 12, 'poster')]
    const ofOlder = renditionPath(original, 12).replace('encoded', 'audio').replace('.mp4', '.m4a')
    for (const path of [...ofVideo, ofOlder]) {
      t.strictSame(idsOf(path), ids, path)
      t.strictSame(attemptOf(path), { videoId: 333, chunkId: undefined, attempt: 12 }, path)
    }
    for (const path of [audioPath(original, 7, 12), chunkPath(original, 7, 12, 'upper')]) {
      t.strictSame(idsOf(path), ids, path)
      t.strictSame(attemptOf(path), { videoId: 333, chunkId: 7, attempt: 12 }, path)
    }
  }
  for (const path of [scriptPath('LOCAL', 1, 22, 4), reportPath('LOCAL', 1, 22, 4), 'LOCAL/1/22/script_v4.json']) {
    t.strictSame(idsOf(path), { ...ids, videoId: 0 }, path)
    t.equal(attemptOf(path), undefined)
  }
  const exported = exportPath('LOCAL', 1, 5, 2)
  t.match(exported, new RegExp(`^LOCAL/1/5-${random}-2\\.zip$`))
  t.strictSame(idsOf(exported), { caseId: 1, sessionId: 0, videoId: 0 })
  t.equal(attemptOf(exported), undefined)
  const half = 'a'.repeat(16)
  for (const path of [`LOCAL/1/22/333-${half}.mp4`, `LOCAL/1/22/encoded_333-${half}-1.mp4`, 'LOCAL/1/22/333-.mp4']) {
    t.equal(idsOf(path), undefined, path)
  }
})

t.test('prefixes match all keys of a case, session or video, and none of others', async (t) => {
  const ofCase = ['video/LOCAL/1/', 'script/LOCAL/1/', 'analyze_report/LOCAL/1/', 'export/LOCAL/1/']
  t.strictSame(prefixesOf('LOCAL', 1, null), ofCase)
  t.strictSame(prefixesOf('LOCAL', 1, 2), ['video/LOCAL/1/2/', 'script/LOCAL/1/2/', 'analyze_report/LOCAL/1/2/'])
  const covered = (key: string, session: number | null) =>
    prefixesOf('LOCAL', 1, session).some((prefix) => key.startsWith(prefix))
  t.ok(covered(inFolder('video', originalPath('LOCAL', 1, 2, 3)), null))
  t.ok(covered(inFolder('video', originalPath('LOCAL', 1, 2, 3)), 2))
  t.notOk(covered(inFolder('video', originalPath('LOCAL', 1, 20, 3)), 2))
  t.notOk(covered(inFolder('video', originalPath('LOCAL', 10, 2, 3)), null))

  const ofVideo = (key: string) => prefixesOf('LOCAL', 1, 2, 3).some((prefix) => key.startsWith(`${prefix}`))
  const original = originalPath('LOCAL', 1, 2, 3)
  for (const path of [
    original,
    renditionPath(original, 2),
    audioPath(original, 7, 2),
    chunkPath(original, 7, 2, 'upper'),
    'LOCAL/1/2/3.mp4',
  ]) {
    t.ok(ofVideo(inFolder('video', path)), path)
  }
  for (const other of [
    originalPath('LOCAL', 1, 2, 33),
    originalPath('LOCAL', 1, 23, 3),
    'LOCAL/1/2/encoded_33-3.mp4',
  ]) {
    t.notOk(ofVideo(inFolder('video', other)), other)
  }
  t.notOk(ofVideo(inFolder('script', scriptPath('LOCAL', 1, 2, 3))))
})
