/** The URL of a service as it may be printed: its user, password, query and fragment may be secrets. */

const mask = '***'

/** The URL as it came where it has none of these. What is no URL is not shown if it may hold them. */
export function shownUrl(url: string): string {
  if (!/[@?#]/.test(url)) return url
  if (!URL.canParse(url)) return mask
  const { protocol, username, password, host, pathname, search, hash } = new URL(url)
  const user = username === '' && password === '' ? '' : `${mask}@`
  const path = pathname === '/' ? '' : pathname
  const query = `${search === '' ? '' : `?${mask}`}${hash === '' ? '' : `#${mask}`}`
  return host === '' ? mask : `${protocol}//${user}${host}${path}${query}`
}

/** A text of a runtime, which may quote the URL. */
export const withShownUrl = (text: string, url: string): string =>
  url === '' ? text : text.replaceAll(url, shownUrl(url))
