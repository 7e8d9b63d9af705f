import { createHash } from 'node:crypto'
import { build } from '@playtherapy/service-kit'
import type { FastifyPluginAsync } from 'fastify'
import { demoAccount } from './sign-in/demo-account.ts'

const style = `
  :root { color-scheme: light dark }
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem }
  h1 { margin-bottom: 0 }
  h2 { margin-top: 2rem; font-size: 1.15rem }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: .2rem 1.5rem; margin: 0 }
  dd { margin: 0 }
  pre { background: #8882; border-radius: .4rem; padding: .8rem 1rem; white-space: pre-wrap; overflow-wrap: anywhere }
`

/** Of the page's own parts only its style is let in. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  'img-src data:',
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')

const escaped = (text: string) => text.replace(/[&<>"]/g, (character) => `&#${character.charCodeAt(0)};`)

interface Facts {
  /** The base URL of all services. */
  url: string
  /** What runs: name and description. */
  parts: Record<string, string>
}

const html = ({ url, parts }: Facts) => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,">
<title>PlayTherapy</title>
<style>${style}</style>
</head>
<body>
<h1>PlayTherapy</h1>
<p>The backend runs on this machine, to be tried out. Version ${escaped(build.version)}.</p>

<h2>What runs</h2>
<dl>
${Object.entries(parts)
  .map(([part, what]) => `<dt>${escaped(part)}</dt><dd>${escaped(what)}</dd>`)
  .join('\n')}
</dl>

<h2>Where to look</h2>
<ul>
<li><a href="/documentation">API page</a>: every route, with a form that calls it</li>
<li><a href="/documentation/json">OpenAPI document</a>, for tools</li>
<li><a href="/health/ready">Readiness</a> and <a href="/metrics">metrics</a></li>
<li>In the project: <code>README.md</code>, <code>services/contract.md</code> (routes, bodies, error codes) and
  <code>services/settings.md</code></li>
</ul>

<h2>A first request</h2>
<p>Sign in with the demo account, and take the token out of the answer:</p>
<pre>curl ${escaped(url)}/auth/api/signin -d username=${demoAccount.email} -d password=${demoAccount.password}</pre>
<p>Every other request carries it. This one lists the cases:</p>
<pre>TOKEN=…
curl -H "Authorization: Bearer $TOKEN" ${escaped(url)}/contents/api/case</pre>
<p><code>npm run -s token -- --help</code> says how to make one for a script. On the API page, enter it at “Authorize”.</p>
</body>
</html>
`

/** The page at `/`, for a person who opens the address that `npm start` prints. It runs no script. */
export const frontPage: FastifyPluginAsync<Facts> = async (app, facts) => {
  const page = html(facts)
  app.get('/', { schema: { hide: true } }, (_request, reply) =>
    reply.header('content-security-policy', policy).type('text/html; charset=utf-8').send(page),
  )
}
