/** Small pages of HTML for people who open an address of the service in a browser. */

/** The header of an address that answers browsers with HTML, and other clients with JSON. */
export const vary = { vary: 'Accept' }

/** Whether the caller is a browser. */
export const wantsHtml = ({ headers }: Request): boolean =>
  headers.get('accept')?.includes('text/html') === true

/**
 * A text as HTML: special characters are escaped, and `backquoted` words become code.
 */
export const escaped = (text: string): string =>
  text
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll(/`([^`]*)`/g, '<code>$1</code>')

const style = `body{font:16px/1.5 system-ui,sans-serif;max-width:50rem;margin:3rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.3rem 1rem .3rem 0;border-bottom:1px solid #8884}
code,pre{font-family:ui-monospace,monospace}pre{overflow-x:auto}:root{color-scheme:light dark}`

/** A page of HTML without scripts. `title` is text, and `body` is HTML. */
export const page = (title: string, body: string): Response =>
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
