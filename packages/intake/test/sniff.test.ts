import t from 'tap'
import { sniff } from '../src/sniff.ts'

const text = (start: string) => Buffer.from(start.padEnd(400, '\0'), 'latin1')
const brand = (name: string) => text(`\0\0\0\x18ftyp${name}\0\0\x02\0${name}isom`)
const box = (type: string) => text(`\0\0\x10\0${type}`)
const ebml = (docType: string) =>
  Buffer.concat([
    Buffer.from('1a45dfa39f4286810142f7810142f2810442f381084282', 'hex'),
    Buffer.from([0x80 | docType.length]),
    text(docType),
  ])

/** Returns three packets of a transport stream, each with `before` bytes before its sync byte. */
function transport(packet: number, before: number): Buffer {
  const bytes = Buffer.alloc(packet * 3)
  for (let start = before; start < bytes.length; start += packet) bytes[start] = 0x47
  return bytes
}

t.test('a file is recognised by its first bytes', async (t) => {
  const wanted: [string, Buffer, string | undefined][] = [
    ...['isom', 'mp42', 'mp41', 'iso5', 'avc1', 'M4V ', 'qt  ', '3gp5', 'dash'].map(
      (name): [string, Buffer, string] => [`brand ${name}`, brand(name), 'mp4'],
    ),
    ...['moov', 'mdat', 'wide', 'free'].map((type): [string, Buffer, string] => [`old MOV, ${type}`, box(type), 'mp4']),
    ['WebM', ebml('webm'), 'matroska'],
    ['Matroska', ebml('matroska'), 'matroska'],
    ['MPEG-TS', transport(188, 0), 'mpegts'],
    ['M2TS', transport(192, 4), 'mpegts'],
    ...['heic', 'heix', 'mif1', 'avif', 'M4A ', 'M4B ', 'F4A '].map((name): [string, Buffer, undefined] => [
      `brand ${name}`,
      brand(name),
      undefined,
    ]),
    ['AVI', text('RIFF\0\0\x10\0AVI LIST'), 'avi'],
    ['MPEG-PS of MPEG-1', Buffer.from('000001ba2100010001', 'hex'), 'mpegps'],
    ['MPEG-PS of MPEG-2', Buffer.from('000001ba4400040004', 'hex'), 'mpegps'],
    ['pictures of MPEG-2 without a container', Buffer.from('000001b3140082ff', 'hex'), undefined],
    ['AVI with another form type', text('RIFF\0\0\x10\0AMV LIST'), undefined],
    ['FLV', text('FLV\x01\x05\0\0\0\x09'), undefined],
    ['Ogg', text('OggS\0\x02'), undefined],
    ['WAV', text('RIFF\0\0\x10\0WAVEfmt '), undefined],
    ['JPEG', Buffer.from('ffd8ffe000104a464946', 'hex'), undefined],
    ['an HLS playlist', text('#EXTM3U\n#EXT-X-VERSION:3\nhttp://localhost/a.ts'), undefined],
    ['a concat list', text("ffconcat version 1.0\nfile '/etc/passwd'"), undefined],
    ['a web page', text('<!doctype html>'), undefined],
    ['a ZIP archive', text('PK\x03\x04\x14\0'), undefined],
    ['zeros', Buffer.alloc(4_100), undefined],
    ['one byte', Buffer.from('x'), undefined],
    ['nothing', Buffer.alloc(0), undefined],
    ['a brand cut short', Buffer.from('\0\0\0\x18fty', 'latin1'), undefined],
  ]
  for (const [what, bytes, container] of wanted) t.equal(await sniff(bytes), container, what)
})
