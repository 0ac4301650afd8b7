/** The forms of a log line: JSON for programs, text for people, and text with colours for a terminal. */
import { styleText } from 'node:util'

export const logFormats = ['json', 'text', 'coloredText'] as const
export type LogFormat = (typeof logFormats)[number]

/** The fields of a line: `time`, `level` and `event` first, then those of the event. */
export type Entry = {
  /** RFC 3339, UTC, milliseconds. */
  readonly time: string
  readonly level: string
  readonly event: string
  readonly [field: string]: unknown
}

/**
 * One printer per form. The result has no line feed at its end. A text entry with an error has
 * several lines, for its stack and causes; so has the text of `started`. Every other entry is one
 * line.
 */
export const printers: Readonly<Record<LogFormat, (entry: Entry) => string>> = {
  json: (entry) => JSON.stringify(entry),
  text: (entry) => textLine(entry, (_, text) => text),
  coloredText: (entry) =>
    textLine(entry, (style, text) => styleText(style, text, { validateStream: false })),
}

type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green'

const levelStyles: Readonly<Record<string, Style>> = {
  error: 'red',
  warn: 'yellow',
  info: 'green',
  debug: 'dim',
}

function textLine(
  { time, level, event, ...fields }: Entry,
  paint: (style: Style, text: string) => string,
): string {
  if (event === 'started') {
    const [title = '', ...lines] = banner(fields).split('\n')
    return [paint('bold', title), ...lines].join('\n')
  }
  const shownLevel = paint(levelStyles[level] ?? 'bold', level.toUpperCase().padEnd(5))
  const head = `${paint('dim', time)} ${shownLevel} ${paint('bold', event)}`
  return [head, ...fieldTexts(fields)].join(' ')
}

/** `name=value` for each field. The stack and causes of an error follow on lines of their own. */
function fieldTexts(fields: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(fields).flatMap(([name, value]) => {
    if (value === undefined) return []
    const shown = isFailure(value) ? failureText(value) : valueText(value)
    return [`${name}=${shown}`]
  })
}

type Failure = {
  readonly message: string
  readonly name: string
  readonly stack?: unknown
  readonly cause?: unknown
}

const isFailure = (value: unknown): value is Failure =>
  typeof value === 'object' && value !== null && 'message' in value && 'name' in value

function failureText({ name, message, stack, cause }: Failure): string {
  const frames = typeof stack === 'string' ? stack.split('\n').filter(isFrame) : []
  return [
    valueText(`${name}: ${message}`),
    ...frames.map((frame) => printable(frame)),
    ...(cause === undefined
      ? []
      : [`caused by ${isFailure(cause) ? failureText(cause) : valueText(cause)}`]),
  ].join('\n')
}

const isFrame = (line: string) => /^\s+at /.test(line)

function valueText(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[!#-~]+$/.test(text) ? text : printable(JSON.stringify(text))
}

/**
 * Escapes control characters, because a terminal would obey them. JSON leaves some of them as they
 * are.
 */
const printable = (text: string): string =>
  text.replace(
    /[\p{Cc}\u2028\u2029]/gu,
    (sign) => `\\u${sign.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )

/** The text of `started`: the addresses of the service, and the limits of the embedded database. */
function banner(fields: Readonly<Record<string, unknown>>): string {
  const { version, url, database, cache, dataDirectory } = fields
  const embedded = [
    `  Data      ${String(dataDirectory)} (survives a crash of the process, not of the machine)`,
    '            Set DATABASE_URL to use a Postgres server.',
  ]
  return [
    `Turnlog ${String(version)}`,
    `  API       ${String(url)}/v1/conversations`,
    `  Swagger   ${String(url)}/swagger`,
    `  Health    ${String(url)}/readyz`,
    `  Database  ${String(database)}`,
    `  Cache     ${String(cache)}`,
    ...(dataDirectory === undefined ? [] : embedded),
  ].join('\n')
}
