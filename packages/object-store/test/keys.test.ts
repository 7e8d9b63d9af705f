import t from 'tap'
import { inFolder, originalPath, prefixesOf, renditionPath, reportPath, scriptPath } from '../src/index.ts'

t.test('keys are as the contract has them', async (t) => {
  const original = originalPath('RELEASE', 1, 22, 333)
  t.equal(inFolder('video', original), 'video/RELEASE/1/22/333.mp4')
  t.equal(inFolder('video', renditionPath(original, 2)), 'video/RELEASE/1/22/encoded_333-2.mp4')
  t.equal(inFolder('script', scriptPath('ALPHA', 1, 22, 4)), 'script/ALPHA/1/22/script_v4.json')
  t.equal(inFolder('analyze_report', reportPath('LOCAL', 1, 22, 5)), 'analyze_report/LOCAL/1/22/analyze_report_v5.json')
})

t.test('prefixes cover all of a case or session and nothing of its neighbours', async (t) => {
  t.strictSame(prefixesOf('LOCAL', 1, null), ['video/LOCAL/1/', 'script/LOCAL/1/', 'analyze_report/LOCAL/1/'])
  t.strictSame(prefixesOf('LOCAL', 1, 2), ['video/LOCAL/1/2/', 'script/LOCAL/1/2/', 'analyze_report/LOCAL/1/2/'])
  const covered = (key: string, session: number | null) =>
    prefixesOf('LOCAL', 1, session).some((prefix) => key.startsWith(prefix))
  t.ok(covered(inFolder('video', originalPath('LOCAL', 1, 2, 3)), null))
  t.ok(covered(inFolder('video', originalPath('LOCAL', 1, 2, 3)), 2))
  t.notOk(covered(inFolder('video', originalPath('LOCAL', 1, 20, 3)), 2))
  t.notOk(covered(inFolder('video', originalPath('LOCAL', 10, 2, 3)), null))
})
