import { testStore } from '@playtherapy/testing'
import t, { type Test } from 'tap'
import { form, testScripts } from './support.ts'

/** Imports captions over HTTP: `[speaker, text]` of each record, or the lines that are refused. */
async function importing(t: Test) {
  const { ask } = await testScripts(t, await testStore(t, 'file'))
  const send = async (file: string | Uint8Array) => {
    const answer = await ask('POST', '/import', { body: form(file, 'script', 'captions') })
    if (answer.status === 422) return answer.body.detail.map(({ loc }: { loc: unknown[] }) => loc[2] ?? 'file')
    const { scripts } = (await ask('GET', '')).body
    return scripts.map(({ speaker, text }: { speaker: string; text: string }) => [speaker, text])
  }
  const times = { vtt: '00:00:01.000 --> 00:00:02.000', srt: '00:00:01,000 --> 00:00:02,000' }
  return {
    send,
    times,
    /** The records of one cue with this text, in both formats. */
    async both(text: string, records: [string, string][]) {
      t.same(await send(`WEBVTT\n\n${times.vtt}\n${text}\n`), records, `WebVTT: ${text}`)
      t.same(await send(`1\n${times.srt}\n${text}\n`), records, `SubRip: ${text}`)
    },
  }
}

t.test('only an empty line ends the text of a caption', async (t) => {
  const { both, send, times } = await importing(t)
  for (const blank of [' ', '\t', '\u00a0', '\u3000', '  \t']) {
    await both(`${blank}\nhello`, [['', 'hello']])
    await both(`hello\n${blank}\nyou`, [['', `hello\n${blank}\nyou`]])
    await both(`hello\n${blank}`, [['', 'hello']])
    const cues = [`1\n${times.srt}\none`, `2\n${times.srt}\ntwo`, `${times.srt}\nthree`]
    const apart = [
      ['', 'one'],
      ['', 'two'],
      ['', 'three'],
    ]
    t.same(await send(cues.join(`\n${blank}\n`)), apart, 'white space between cues')
    t.same(await send(cues.join(`\n\n${blank}\n`)), apart)
    t.same(await send(`WEBVTT\n${blank}\n${cues.join(`\n${blank}\n`)}`), apart)
  }
  t.same(await send(`WEBVTT\n\n${times.vtt}\n\n${times.vtt}\n \n\n${times.vtt}\nhi`), [['', 'hi']], 'no words')
})

t.test('markup that is not known here becomes no speaker, and no words are taken for markup', async (t) => {
  const { both } = await importing(t)
  await both('<center>T: hi</center>', [['T', 'hi']])
  await both('<marquee>T: hi</marquee>', [['', '<marquee>T: hi</marquee>']])
  await both('Hello\\NT: World', [['', 'Hello\\NT: World']])
  await both('a <b and c> d', [['', 'a <b and c> d']])
  await both('<font color="red" size=3>T: hi</font><br />you', [['T', 'hi\nyou']])
})

t.test('text that belongs to no caption is refused with its line', async (t) => {
  const { send, times } = await importing(t)
  const vtt = (block: string) => send(`WEBVTT\n\n${times.vtt}\nhello\n\n${block}\n\n${times.vtt}\nyou\n`)
  const srt = (block: string) => send(`1\n${times.srt}\nhello\n\n${block}\n\n2\n${times.srt}\nyou\n`)
  for (const block of [
    'and more',
    '- and more\nthan that',
    '00:00:01.000 -> 00:00:02.000\nx',
    '00:00:01,000 –> 00:00:02,000\nx',
    '00:00:01.000 --&gt; 00:00:02.000\nx',
    '00:00:01.000\nx',
    '1:02,003 --> x\nx',
    '--> 00:00:02.000',
    'NOTES of mine',
    'STYLE of mine',
    'REGION 1',
    '[{"start":1}]',
    '1000\t2000\thello',
    'Dialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,hello',
    '0:00:01.000,0:00:02.000\nhello',
  ]) {
    t.same(await vtt(block), [6], `WebVTT: ${block}`)
    t.same(await srt(block), [5], `SubRip: ${block}`)
  }
  t.same(await srt('more'.concat(`\n${times.srt}\nthree`)), [5], 'text is no number of a caption')
  t.same(await srt(`3\n4\n${times.srt}\nthree`), [5])
  t.same(await srt('3'), [5], 'a number without a caption')
  t.same(await srt('NOTE a comment'), [5])
  t.same(await srt(`3\n${times.srt}\nthree\n4\n${times.srt}\nfour`), [9], 'no empty line between them')
  t.same(await vtt(`a\nb\n${times.vtt}\nthree`), [6])
  t.same(await vtt(`\n${times.vtt}\n\nlate`), [9], 'an empty line after the times')
})

t.test('comments, styles, regions and headers are no captions', async (t) => {
  const { send, times } = await importing(t)
  const cue = `${times.vtt}\nhello`
  const hello = [['', 'hello']]
  for (const before of [
    'WEBVTT\n\n',
    'WEBVTT\n',
    'WEBVTT - Session 1\nKind: captions\nLanguage: en\n',
    'WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:900000\n\n',
    'WEBVTT\tx\nStyle:\n::cue(c.colorE5E5E5) { color: rgb(229,229,229);\n }\n##\n\n',
    'WEBVTT\n\nNOTE\nConfidence: 0.9\n\nNOTE duration:"00:01"\n\nNOTE\tx\n\nNOTE\n\n',
    'WEBVTT\n\nNOTE see --> there\n\n',
    'WEBVTT\n\nSTYLE\n::cue {\n  color: red;\n}\n\nSTYLE \n::cue(b) {}\n\n',
    'WEBVTT\n\nREGION\nid:fred\nwidth:40%\n\n',
    'WEBVTT\n\n7a5e-0/12-1\n',
    'WEBVTT\n\nWEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:0\n\n',
  ]) {
    t.same(await send(before + cue), hello, before)
    t.same(await send(`${before}${cue}\n\nNOTE the end`), hello, before)
  }
  t.same(await send(`WEBVTT\n\n${times.vtt} region:fred align:start position:0% line:90%,end\nhello`), hello)
})

t.test('markup is no text and no speaker', async (t) => {
  const { both } = await importing(t)
  await both('{\\an8}T: hello', [['T', 'hello']])
  await both('{\\an8}{\\pos(10,20)\\c&HFFFFFF&}<i>hello</i> {\\k50}you', [['', 'hello you']])
  await both('{i}T: hello{/i}', [['T', 'hello']])
  for (const space of ['&nbsp;', '\u00a0', '\u3000']) await both(`T:${space}hi`, [['T', 'hi']])
  await both('{Y:i}hello {c:$0000ff}you', [['', 'hello you']])
  await both('<i><b>Teacher:</b> hello</i>', [['Teacher', 'hello']])
  await both('<font color="#ffff00" size=12>T: <u>hel</u>lo</FONT>', [['T', 'hello']])
  await both('<s>a</s><strong>b</strong><em>c</em><span class="x">d</span >e<br>f<br/>g', [['', 'abcde\nf\ng']])
  await both('<00:00:00.480><c> hello</c><00:00:01.500><c.colorE5E5E5> you</c>', [['', 'hello you']])
  await both('<c.yellow.bg_blue>hello</c> <lang en-GB>you</lang>', [['', 'hello you']])
  await both('<ruby>漢<rt>かん</rt>字<rt>じ</ruby>', [['', '漢かん字じ']])
  await both('a < b > c <3 <- {x} {} <laughs> <웃음> <|endoftext|> 1<2 MyValue<String>', [
    ['', 'a < b > c <3 <- {x} {} <laughs> <웃음> <|endoftext|> 1<2 MyValue<String>'],
  ])
  await both('[laughs] hello (door) ♪ la ♪', [['', '[laughs] hello (door) ♪ la ♪']])
})

t.test('every named character reference of HTML is its character', async (t) => {
  const { both } = await importing(t)
  await both('caf&eacute;&hellip; 21&deg; &ldquo;x&rdquo; &ndash; &rarr; &half; &NotEqualTilde;', [
    ['', 'café… 21° “x” – → ½ ≂̸'],
  ])
  await both('&amp;lt; &lt;b&gt; &#60;i&#62; &apos; &#x1F9F8; &#146;', [['', "&lt; <b> <i> ' 🧸 ’"]])
  await both('AT&T &unknown; &copy &; &#; a&amp;b', [['', 'AT&T &unknown; &copy &; &#; a&b']])
})

t.test('each speaker of a caption has a record', async (t) => {
  const { both } = await importing(t)
  await both('T: hello\nC: hi\nthere', [
    ['T', 'hello'],
    ['C', 'hi\nthere'],
  ])
  await both('- T: hello\n- C: hi', [
    ['T', 'hello'],
    ['C', 'hi'],
  ])
  await both('&gt;&gt; JOHN: hello\n&gt;&gt; 지우: hi', [
    ['JOHN', 'hello'],
    ['지우', 'hi'],
  ])
  await both('[SPEAKER_00]: hello\n[SPEAKER_01]: hi', [
    ['SPEAKER_00', 'hello'],
    ['SPEAKER_01', 'hi'],
  ])
  await both('<v Teacher Kim>hello</v>\n<v.loud Child>hi', [
    ['Teacher Kim', 'hello'],
    ['Child', 'hi'],
  ])
  await both('- <v ID>News anchor:</v>\n- <v Anchor>This is a test.</v>', [
    ['ID', 'News anchor:'],
    ['Anchor', 'This is a test.'],
  ])
  await both('<v Smith &amp; &quot;Kim&quot;>hello</v> (door)', [
    ['Smith & "Kim"', 'hello'],
    ['', '(door)'],
  ])
  await both('10:30 Meeting: hello', [['', '10:30 Meeting: hello']])
  await both('선생님： 안녕', [['선생님', '안녕']])
  await both('- hello\n- hi', [['', '- hello\n- hi']])
  await both('we need\nthree things: apples', [['', 'we need\nthree things: apples']])
  await both('T: at 10:30, see http://x.test', [['T', 'at 10:30, see http://x.test']])
  await both('hello:\nyou', [['', 'hello:\nyou']])
})

t.test('captions are read in the encodings and line breaks of other systems', async (t) => {
  const { send, times } = await importing(t)
  const vtt = `WEBVTT\n\n${times.vtt}\n안녕\n🧸\n\n${times.vtt}\n지우\n`
  const srt = `1\n${times.srt}\n안녕\n🧸\n\n2\n${times.srt}\n지우\n`
  const records = [
    ['', '안녕\n🧸'],
    ['', '지우'],
  ]
  for (const file of [vtt, srt]) {
    for (const lineBreak of ['\r\n', '\r', '\r\r\n', '\n']) {
      const text = file.replaceAll('\n', lineBreak)
      t.same(await send(text), records, JSON.stringify(lineBreak))
      t.same(await send(`\ufeff${text}`), records)
      const utf16 = Buffer.from(`\ufeff${text}`, 'utf16le')
      t.same(await send(utf16), records, 'UTF-16, little end first')
      t.same(await send(Buffer.from(utf16).swap16()), records, 'UTF-16, big end first')
    }
  }
  t.same(await send(Buffer.from(vtt, 'utf16le')), ['file'], 'UTF-16 that does not say so')
  t.same(await send(Buffer.from([0xff, 0xfe, 0x00, 0xd8, 0x31, 0x00])), ['file'], 'half a character')
})
