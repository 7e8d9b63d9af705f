import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build, type Plugin } from 'esbuild'

export { consoleHeaders } from './headers.ts'

const folder = fileURLToPath(new URL('./src/', import.meta.url))
const beginning = join(folder, 'main.tsx')

/** What tus-js-client brings for old browsers and other platforms, and what takes its place. */
const leanTus: Plugin = {
  name: 'lean tus-js-client',
  setup({ onResolve }) {
    const replace = (filter: RegExp, by: URL) => onResolve({ filter }, () => ({ path: fileURLToPath(by) }))
    replace(/^url-parse$/, new URL('./lean-url.ts', import.meta.url))
    replace(/^js-base64$/, new URL('./lean-base64.ts', import.meta.url))
    replace(/^\.\/fileReader\.js$/, new URL('./lean-file-reader.ts', import.meta.url))
    replace(/\/(urlStorage|noopUrlStorage)\.js$/, new URL('./lean-storage.ts', import.meta.url))
    replace(/^\.\/fileSignature\.js$/, new URL('./lean-signature.ts', import.meta.url))
    replace(/^\.\.?\/error\.js$/, new URL('./lean-error.ts', import.meta.url))
  },
}

/**
 * Lets each view that is loaded later import what the page begins with. A module of which several parts have need would otherwise be in a
 * file of its own for each set of parts, and many small files take longer to load and compress worse than one.
 */
const oneBeginning: Plugin = {
  name: 'one beginning',
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^\.\/.*\.tsx$/ }, ({ kind, path, resolveDir }) =>
      kind === 'dynamic-import' ? { path: join(resolveDir, path), pluginData: 'late' } : undefined,
    )
    onLoad({ filter: /\.tsx$/ }, async ({ path, pluginData }) =>
      pluginData === 'late'
        ? { contents: `import ${JSON.stringify(beginning)}\n${await readFile(path, 'utf8')}`, loader: 'tsx' }
        : undefined,
    )
  },
}

/** Files of the page by their names; all but `index.html` have a hash of their content in it. */
export type ConsoleFiles = ReadonlyMap<string, Uint8Array>

/**
 * Bundles the page and its libraries in memory, within half a second. With `signInByLink`, a link `#token=…` signs in, as the
 * one that `npm start` prints. With `notices`, the name of a text beside the page, the page links to it: the licences and notices of what is
 * bundled, which go with each copy of it. Plugins of the caller see what is bundled.
 */
export async function buildConsole({
  signInByLink = false,
  notices,
  plugins = [],
}: {
  signInByLink?: boolean
  notices?: string
  plugins?: Plugin[]
} = {}): Promise<ConsoleFiles> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: { main: 'main.tsx', style: 'styles/style.css' },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    outdir: 'out',
    bundle: true,
    plugins: [leanTus, oneBeginning, ...plugins],
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    // Libraries can describe what they do, which nobody reads here.
    drop: ['console'],
    charset: 'utf8',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    write: false,
    metafile: true,
    logLevel: 'warning',
  })
  const files = new Map(outputFiles.map(({ path, contents }) => [path.slice(join(folder, 'out/').length), contents]))
  const builtFrom = (source: string) => {
    const [path] = Object.entries(metafile.outputs).find(([, { entryPoint }]) => entryPoint === source) ?? []
    if (!path) throw new Error(`${source} was not built`)
    return path.slice('out/'.length)
  }
  const script = builtFrom('main.tsx')
  // The browser asks for all of them at once, and not only when it has read the first one.
  const imported = (metafile.outputs[`out/${script}`]?.imports ?? []).filter(({ kind }) => kind === 'import-statement')
  const ahead = imported.map(({ path }) => `<link rel="modulepreload" href="${path.slice('out/'.length)}">\n`).join('')
  // A browser that translates would send the words of children to a third party, and would replace texts that Preact changes later.
  const page = `<!doctype html>
<html lang="en" translate="no"${signInByLink ? ' data-sign-in-by-link' : ''}${notices ? ` data-notices="${notices}"` : ''}>
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="google" content="notranslate">
<meta name="color-scheme" content="light dark">
<title>PlayTherapy</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${builtFrom('styles/style.css')}">
${ahead}<script type="module" src="${script}"></script>
</head>
<body>
<p class="unloaded" lang="en">The page is not loaded yet. If this stays, load it anew.</p>
<p class="unloaded" lang="ko">페이지를 아직 불러오지 못했습니다. 계속 이대로이면 새로 고쳐 주세요.</p>
</body>
</html>
`
  return files.set('index.html', new TextEncoder().encode(page))
}
