/** URLs of a service for messages and logs. User, password, query and fragment may be secrets, so they are masked. */

const mask = '***'

/** The URL with secrets masked. A text that is no URL is masked as a whole if it may have secrets in it. */
export function shownUrl(url: string): string {
  if (!/[@?#]/.test(url)) return url
  if (!URL.canParse(url)) return mask
  const { protocol, username, password, host, pathname, search, hash } = new URL(url)
  const user = username === '' && password === '' ? '' : `${mask}@`
  const path = pathname === '/' ? '' : pathname
  const query = `${search === '' ? '' : `?${mask}`}${hash === '' ? '' : `#${mask}`}`
  return host === '' ? mask : `${protocol}//${user}${host}${path}${query}`
}

/** A message of a runtime with each quoted URL masked. */
export const withShownUrl = (text: string, url: string): string =>
  url === '' ? text : text.replaceAll(url, shownUrl(url))
