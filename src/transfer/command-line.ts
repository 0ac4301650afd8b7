/** The options and exit codes that `turnlog import` and `turnlog export` share. */
import { Problem } from '../client/client.ts'
import { shownUrl } from '../client/shown-url.ts'
import { canonicalId } from '../conversation/wire/ids.ts'
import { isUuid } from '../conversation/wire/validation.ts'
import { Misuse } from './misuse.ts'
import { failureText } from './service-client.ts'

export const serviceOptions = {
  url: { type: 'string' },
  patience: { type: 'string', default: '60' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/**
 * Checks the URL of a service: an http or https URL without a query, so that a path can be
 * appended. `source` is where it was set, such as `--url`.
 */
export function serviceUrl(text: string, source = '--url'): string {
  if (!/^https?:\/\/[^?#]*$/i.test(text) || !URL.canParse(text))
    throw new Misuse(`${source} must be an http or https URL, not ${shownUrl(text)}`)
  return text
}

/** Says which service is used, and why. */
export const serviceNotice = (url: string, source: string): string =>
  `The service is ${shownUrl(url)} (${source}).\n`

/** Checks conversation ids from the command line, and returns each of them once. */
export function conversationIds(words: readonly string[]): string[] {
  const invalid = words.find((word) => !isUuid(word))
  if (invalid !== undefined)
    throw new Misuse(`${invalid} is not a conversation id: an id is a UUID`)
  return [...new Set(words.map(canonicalId))]
}

/** Checks the value of the flag `--<name>`: a whole number from `minimum` to `maximum`. */
export function wholeNumber(name: string, text: string, minimum: number, maximum: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < minimum || number > maximum)
    throw new Misuse(`--${name} must be a whole number from ${minimum} to ${maximum}, not ${text}`)
  return number
}

/**
 * Makes a function that reports why a request is retried. It reports at most once in 5 seconds,
 * because many requests are retried for the same reason.
 */
export function waitNotice(say: (line: string) => void): (reason: string) => void {
  let last = Number.NEGATIVE_INFINITY
  return (reason) => {
    if (performance.now() - last < 5000) return
    last = performance.now()
    say(`Retrying: ${reason}`)
  }
}

/**
 * Runs a command and resolves with its exit code. A problem of the service is printed in one line and
 * gives code 1. A wrong command line is printed with the usage and gives code 2.
 */
export async function run(usage: string, command: () => Promise<number>): Promise<number> {
  const complain = (text: string, code: number) => {
    process.stderr.write(text)
    return code
  }
  try {
    return await command()
  } catch (error) {
    if (error instanceof Problem) return complain(`${failureText(error)}\n`, 1)
    const isArgument =
      error instanceof Misuse ||
      (error instanceof TypeError && 'code' in error && /^ERR_PARSE_ARGS/.test(String(error.code)))
    if (isArgument) return complain(`${error.message}\n\n${usage}`, 2)
    throw error
  }
}
