/**
 * The pages at `/problems/<code>`, the path in the `type` of a problem: HTML for browsers, JSON for
 * others.
 */
import { Problem, type ProblemCode, problemCodes, problems } from '../../problem.ts'
import { answer } from '../request/answer.ts'
import type { Router } from '../services.ts'

export function addProblemPages(router: Router): void {
  const hidden = { detail: { hide: true } }
  router.get(
    '/problems',
    ({ request }) =>
      wantsHtml(request)
        ? page('Problems', `<h1>Problems</h1>${table}`)
        : answer({ problems: problemCodes.map(entry) }, 200, vary),
    hidden,
  )
  router.get(
    '/problems/:code',
    ({ request, params }) => {
      const code = problemCodes.find((known) => known === params.code)
      if (code === undefined)
        throw new Problem(
          'route-not-found',
          'No problem has this code. /problems lists every code.',
        )
      return wantsHtml(request)
        ? page(problems[code].title, article(code))
        : answer(entry(code), 200, vary)
    },
    hidden,
  )
}

const vary = { vary: 'Accept' }

const wantsHtml = ({ headers }: Request): boolean =>
  headers.get('accept')?.includes('text/html') === true

const entry = (code: ProblemCode) => ({ type: `/problems/${code}`, code, ...problems[code] })

/**
 * A text of the table as HTML: special characters are escaped, and `backquoted` words become code.
 */
const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/`([^`]*)`/g, '<code>$1</code>')

const table = `<table><tr><th>Code<th>Status<th>Meaning</tr>${problemCodes
  .map((code) => {
    const { status, title } = problems[code]
    return `<tr><td><a href="/problems/${code}">${code}</a><td>${status}<td>${escaped(title)}</tr>`
  })
  .join('')}</table>`

const retryOf = (retryable: boolean): string =>
  retryable
    ? 'You may send the very same request again: it can succeed later.'
    : 'Change the request before you send it again: the very same request would fail again.'

function article(code: ProblemCode): string {
  const { status, title, retryable, help, retry = retryOf(retryable) } = problems[code]
  return `<h1>${escaped(title)}</h1><p><code>${code}</code>, HTTP status ${status}.</p>
<p>${escaped(help)}</p><p>${escaped(retry)}</p><p><a href="/problems">All problems</a></p>`
}

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #8884}
code{font-family:ui-monospace,monospace}:root{color-scheme:light dark}`

const page = (title: string, body: string): Response =>
  new Response(
    `<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${escaped(title)} · Turnlog</title><style>${style}</style><body>${body}</body></html>`,
    {
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'content-security-policy': "default-src 'none'; style-src 'unsafe-inline'",
        ...vary,
      },
    },
  )
