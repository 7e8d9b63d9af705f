import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

export { consoleHeaders } from './headers.ts'

const folder = fileURLToPath(new URL('./src/', import.meta.url))

/** Files of the page by their names; all but `index.html` have a hash of their content in it. */
export type ConsoleFiles = ReadonlyMap<string, Uint8Array>

/** Bundles the page and its libraries in memory, within half a second. */
export async function buildConsole(): Promise<ConsoleFiles> {
  const { outputFiles, metafile } = await build({
    absWorkingDir: folder,
    entryPoints: { main: 'main.tsx', style: 'styles/style.css' },
    entryNames: '[name]-[hash]',
    chunkNames: '[name]-[hash]',
    outdir: 'out',
    bundle: true,
    alias: { 'url-parse': fileURLToPath(new URL('./lean-url.ts', import.meta.url)) },
    splitting: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
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
  // A browser that translates would send the words of children to a third party, and would replace texts that Preact changes later.
  const page = `<!doctype html>
<html lang="en" translate="no">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta name="google" content="notranslate">
<meta name="color-scheme" content="light dark">
<title>PlayTherapy</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="${builtFrom('styles/style.css')}">
<script type="module" src="${builtFrom('main.tsx')}"></script>
</head>
<body></body>
</html>
`
  return files.set('index.html', new TextEncoder().encode(page))
}
