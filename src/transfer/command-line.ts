/** The options and exit codes that `turnlog import` and `turnlog export` share. */
import { Problem } from '../client/client.ts'
import { shownUrl } from '../client/shown-url.ts'
import { canonicalId } from '../conversation/wire/ids.ts'
import { isUuid } from '../conversation/wire/validation.ts'
import { Misuse } from './misuse.ts'
import { failureText } from './service-client.ts'

export const serviceOptions = {
  url: { type: 'string', default: 'http://localhost:3000' },
  patience: { type: 'string', default: '60' },
  help: { type: 'boolean', short: 'h', default: false },
} as const

export const serviceHelp = `  --url <url>         the service; http://localhost:3000
  --patience <s>      seconds to wait for a service that is away; 60
`

/** The address of a service, to which a path can be added. */
export function serviceUrl(text: string): string {
  if (!/^https?:\/\/[^?#]*$/i.test(text) || !URL.canParse(text))
    throw new Misuse(`--url must be an http or https URL, not ${shownUrl(text)}`)
  return text
}

/** The ids of the words, each once. */
export function conversationIds(words: readonly string[]): string[] {
  const strange = words.find((word) => !isUuid(word))
  if (strange !== undefined) throw new Misuse(`${strange} is no conversation id: those are UUIDs`)
  return [...new Set(words.map(canonicalId))]
}

export function wholeNumber(name: string, text: string, minimum: number, maximum: number): number {
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < minimum || number > maximum)
    throw new Misuse(`--${name} must be a whole number from ${minimum} to ${maximum}, not ${text}`)
  return number
}

/** Says why a request waits, at most every 5 seconds: many requests wait for the same reason. */
export function waitNotice(say: (line: string) => void): (reason: string) => void {
  let last = Number.NEGATIVE_INFINITY
  return (reason) => {
    if (performance.now() - last < 5000) return
    last = performance.now()
    say(`Trying again: ${reason}`)
  }
}

/** The exit code of a verb: 1 after a problem of the service, 2 for a misuse, each said in one line. */
export async function run(usage: string, verb: () => Promise<number>): Promise<number> {
  const complain = (text: string, code: number) => {
    process.stderr.write(text)
    return code
  }
  try {
    return await verb()
  } catch (error) {
    if (error instanceof Problem) return complain(`${failureText(error)}\n`, 1)
    const isArgument =
      error instanceof Misuse ||
      (error instanceof TypeError && 'code' in error && /^ERR_PARSE_ARGS/.test(String(error.code)))
    if (isArgument) return complain(`${error.message}\n\n${usage}`, 2)
    throw error
  }
}
