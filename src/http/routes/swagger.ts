/** Swagger UI from the installed package. The page loads everything from this service. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { Problem } from '../../problem.ts'
import { openapiPath } from '../openapi/document.ts'
import type { Router } from '../services.ts'

/** The files of the package that are served, with their media types. No other file is. */
const files: Readonly<Record<string, string>> = {
  'swagger-ui.css': 'text/css; charset=utf-8',
  'swagger-ui-bundle.js': 'text/javascript; charset=utf-8',
  'favicon-32x32.png': 'image/png',
}

const settings = {
  url: openapiPath,
  dom_id: '#swagger-ui',
  // Without this, the page shows a badge that it fetches from a server on the internet.
  validatorUrl: 'none',
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
}

const page = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Turnlog API</title>
<link rel="icon" href="/swagger/assets/favicon-32x32.png">
<link rel="stylesheet" href="/swagger/assets/swagger-ui.css">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/swagger/assets/swagger-ui-bundle.js"></script>
<script src="/swagger/assets/start.js"></script>
</body>
</html>
`

const start = `window.ui = SwaggerUIBundle(${JSON.stringify(settings)})\n`

/** The content security policy: the browser lets the page load from this service only. */
const policy =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src data:; connect-src 'self'"

export function addSwagger(router: Router): void {
  const hidden = { detail: { hide: true } }
  router.get(
    '/swagger',
    () =>
      new Response(page, {
        headers: { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': policy },
      }),
    hidden,
  )
  router.get('/swagger/assets/start.js', () => asset(start, 'text/javascript'), hidden)
  router.get(
    '/swagger/assets/:file',
    async ({ params }) => {
      const type = Object.hasOwn(files, params.file) ? files[params.file] : undefined
      if (type === undefined)
        throw new Problem('route-not-found', 'Swagger UI has no such file. Open /swagger.')
      const path = fileURLToPath(import.meta.resolve(`swagger-ui-dist/${params.file}`))
      return asset(await readFile(path), type)
    },
    hidden,
  )
}

const asset = (content: BodyInit, type: string): Response =>
  new Response(content, {
    headers: { 'content-type': type, 'cache-control': 'public, max-age=3600' },
  })
