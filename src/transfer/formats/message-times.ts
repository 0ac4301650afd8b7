/** Finds the time of a message or a conversation under the names that libraries use. */
import {
  type Micros,
  now,
  parseTime,
  printTime,
  secondsAfter,
} from '../../conversation/wire/time.ts'
import { isJson, type Json } from './json-value.ts'
import { timeOfNumber, timeOfValue } from './time-forms.ts'

export type UnusedTimes = { readonly count: number; readonly example: string | undefined }

/** Names are compared in lower case, without `_` and `-`; an earlier one is taken first. */
const sent = ['createdat', 'createtime', 'created', 'createdtime', 'createdon', 'creationtime']
const stamped = ['timestamp', 'timestampms', 'ts', 'sentat', 'sent', 'senttime', 'sendtime']
const dated = ['time', 'at', 'date', 'datetime', 'messagetime', 'eventtime', 'datecreated']
const started = ['startedat', 'starttime', 'started']

const ofMessages = [...sent, ...stamped, ...dated]
const ofConversations = [...ofMessages, ...started]
/** Metadata is a caller's own: its `date` may be that of a booking. */
const ofMetadata = [...sent, ...stamped]

const plainName = (name: string) => name.toLowerCase().replace(/[_-]/g, '')

/** Whether a member of this name may hold a time. */
export const isTimeName = (name: string): boolean => ofConversations.includes(plainName(name))

/** How far in the future a time may lie, seconds: the service's default, which allows for clocks that run fast. */
const aheadSecondsMax = 300

/** The latest time that is used. */
const latestTime = (): Micros => secondsAfter(now(), aheadSecondsMax)

/** Whether the text of a number is a time that is used. */
export function isUsableTime(numberText: string): boolean {
  const time = timeOfNumber(numberText)
  return time !== undefined && time <= latestTime()
}

const exampleCharactersMax = 80

/** Reads the times of one line; it needs the literals of that line's numbers. */
export class TimeReader {
  readonly #numberText: (holder: object, name: string) => string
  #count = 0
  #example: string | undefined

  constructor(numberText: (holder: object, name: string) => string) {
    this.#numberText = numberText
  }

  /** Values under the name of a time that could not be read as one. */
  get unused(): UnusedTimes {
    return { count: this.#count, example: this.#example }
  }

  /** A message's own time, for `at`; undefined where it has none that is understood. */
  ofMessage(message: Json): string | undefined {
    return this.#own(message, ofMessages)
  }

  /** The conversation's own time. */
  ofConversation(line: Json): string | undefined {
    return this.#own(line, ofConversations)
  }

  #own(holder: Json, names: readonly string[]): string | undefined {
    const { metadata } = holder
    return (
      this.#find(holder, names) ?? (isJson(metadata) ? this.#find(metadata, ofMetadata) : undefined)
    )
  }

  #find(holder: Json, names: readonly string[]): string | undefined {
    const latest = latestTime()
    const candidates = Object.entries(holder)
      .map(([name, value]) => ({ name, value, rank: names.indexOf(plainName(name)) }))
      .filter(({ value, rank }) => rank >= 0 && mayBeTime(value))
      .sort((one, other) => one.rank - other.rank)
    for (const { name, value } of candidates) {
      const time = timeOfValue(value, this.#numberText(holder, name))
      if (time !== undefined && time <= latest) return printedAs(value, time)
    }
    const [first] = candidates
    if (first === undefined) return undefined
    this.#count += 1
    const { name, value } = first
    const text = typeof value === 'number' ? this.#numberText(holder, name) : JSON.stringify(value)
    this.#example ??= `${text.slice(0, exampleCharactersMax)} in \`${name}\``.toWellFormed()
    return undefined
  }
}

/** Flags (`sent: true`) and empty members say nothing about a time. */
const mayBeTime = (value: unknown) =>
  value !== null && value !== undefined && value !== '' && typeof value !== 'boolean'

/**
 * Keeps the form that earlier versions sent, if there is one: a repeated import must send the same turn
 * under the same key, or the service refuses it as another one.
 */
function printedAs(value: unknown, time: Micros): string {
  if (typeof value === 'string' && parseTime(value) !== undefined) return value
  const text = printTime(time)
  return time % 1000n === 0n ? `${text.slice(0, -4)}Z` : text
}
