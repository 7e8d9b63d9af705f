import { seedSession } from '@playtherapy/testing'
import t from 'tap'
import { seedVideo, testServices } from './support.ts'

t.test('the newest script is offered as a captions track of the video', async (t) => {
  const services = await testServices(t)
  const { caseId, sessionId } = await seedSession(services.db, 7)
  await seedVideo(services, sessionId)
  const session = `${services.url}/contents/api/case/${caseId}/session/${sessionId}`
  const headers = { ...services.as(7), origin: 'http://localhost:3000' }
  const linkOf = async (method: string) => (await fetch(`${session}/video`, { method, headers })).headers.get('link')
  t.equal(await linkOf('GET'), null, 'no script, no track')

  const form = new FormData()
  const record = { start_time: '00:00:01', end_time: '00:00:02', speaker: 'C', text: '높아요' }
  form.set('script', new Blob([JSON.stringify({ scripts: [record] })]), 'script.json')
  t.equal((await fetch(`${session}/script`, { method: 'POST', headers, body: form })).status, 200)

  const link = (await linkOf('HEAD')) ?? ''
  t.equal(await linkOf('GET'), link)
  t.match(link, 'type="text/vtt"')
  const [, target = ''] = /^<([^>]+)>/.exec(link) ?? []
  const captions = await fetch(new URL(target, `${session}/video`), { headers })
  t.match(captions.headers.get('access-control-expose-headers'), /\bLink\b/)
  t.equal(await captions.text(), 'WEBVTT\n\n00:00:01.000 --> 00:00:02.000\n<v C>높아요</v>\n')
})
