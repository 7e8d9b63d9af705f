import { crateName, type Manifest, manifestName } from './format.ts'

const types: Record<string, string> = {
  json: 'application/json',
  jsonl: 'application/jsonl',
  txt: 'text/plain',
  vtt: 'text/vtt',
  mp4: 'video/mp4',
  mkv: 'video/matroska',
  ts: 'video/mp2t',
  mpg: 'video/mpeg',
  avi: 'video/vnd.avi',
}

interface About {
  caseId: number
  madeAt: string
}

/** `ro-crate-metadata.json` (RO-Crate 1.1) of an export with these files. It names no person. */
export function* crateOf({ caseId, madeAt }: About, files: Manifest['files']): Generator<string> {
  const root = {
    '@id': './',
    '@type': 'Dataset',
    name: `Case ${caseId}`,
    description:
      'All that an installation of the play-therapy backend holds of one case, but for what README.txt names.',
    datePublished: madeAt,
    license: 'Confidential health data of a child; not to be published.',
    hasPart: [...files.map(({ path }) => ({ '@id': path })), { '@id': manifestName }],
  }
  const descriptor = {
    '@id': crateName,
    '@type': 'CreativeWork',
    conformsTo: { '@id': 'https://w3id.org/ro/crate/1.1' },
    about: { '@id': './' },
  }
  const manifest = { '@id': manifestName, '@type': 'File', name: 'Hashes of all files', encodingFormat: types.json }
  yield `{"@context":"https://w3id.org/ro/crate/1.1/context","@graph":[${JSON.stringify(descriptor)},\n${JSON.stringify(root)}`
  for (const { path, size, sha256 } of files) {
    const encodingFormat = types[path.split('.').at(-1) ?? '']
    const file = { '@id': path, '@type': 'File', name: path, contentSize: String(size), encodingFormat, sha256 }
    yield `,\n${JSON.stringify(file)}`
  }
  yield `,\n${JSON.stringify(manifest)}]}\n`
}
