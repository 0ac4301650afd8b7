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

/** The number of times that could not be read, and the first of them. */
export type UnusedTimes = { readonly count: number; readonly example: string | undefined }

// Names are compared in lower case, without `_` and `-`. An earlier name takes precedence.
const creationNames = [
  'createdat',
  'createtime',
  'created',
  'createdtime',
  'createdon',
  'creationtime',
]
const stampNames = ['timestamp', 'timestampms', 'ts', 'sentat', 'sent', 'senttime', 'sendtime']
const dateNames = ['time', 'at', 'date', 'datetime', 'messagetime', 'eventtime', 'datecreated']
const startNames = ['startedat', 'starttime', 'started']

const messageNames = [...creationNames, ...stampNames, ...dateNames]
const conversationNames = [...messageNames, ...startNames]
/**
 * Date names are left out, because metadata belongs to the caller: its `date` may be that of a
 * booking.
 */
const metadataNames = [...creationNames, ...stampNames]

const plainName = (name: string) => name.toLowerCase().replace(/[_-]/g, '')

/** Whether a member of this name may hold a time. */
export const isTimeName = (name: string): boolean => conversationNames.includes(plainName(name))

/**
 * Seconds by which a time may lie in the future: the default of the service, for clocks that run
 * fast.
 */
const aheadSecondsMax = 300

/** The latest time that is used. */
const latestTime = (): Micros => secondsAfter(now(), aheadSecondsMax)

/** Whether the text of a number is a time, and not too far in the future. */
export function isUsableTime(numberText: string): boolean {
  const time = timeOfNumber(numberText)
  return time !== undefined && time <= latestTime()
}

const exampleCharactersMax = 80

/** Reads the times of one line. It needs the source texts of the line's numbers. */
export class TimeReader {
  readonly #numberText: (holder: object, name: string) => string
  #count = 0
  #example: string | undefined

  constructor(numberText: (holder: object, name: string) => string) {
    this.#numberText = numberText
  }

  /** Values that have the name of a time but could not be read as one. */
  get unused(): UnusedTimes {
    return { count: this.#count, example: this.#example }
  }

  /** Returns the time of a message, or undefined if it has no time that can be read. */
  ofMessage(message: Json): string | undefined {
    return this.#ownTime(message, messageNames)
  }

  /** Returns the time of a conversation, or undefined if it has no time that can be read. */
  ofConversation(line: Json): string | undefined {
    return this.#ownTime(line, conversationNames)
  }

  #ownTime(holder: Json, names: readonly string[]): string | undefined {
    const { metadata } = holder
    return (
      this.#find(holder, names) ??
      (isJson(metadata) ? this.#find(metadata, metadataNames) : undefined)
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

/** Flags (`sent: true`) and empty members are not times. */
const mayBeTime = (value: unknown) =>
  value !== null && value !== undefined && value !== '' && typeof value !== 'boolean'

/**
 * Prints a time in the form that earlier versions sent, if they sent one. A repeated import must
 * send the same turn under the same key, or the service refuses it as another turn.
 */
function printedAs(value: unknown, time: Micros): string {
  if (typeof value === 'string' && parseTime(value) !== undefined) return value
  const text = printTime(time)
  return time % 1000n === 0n ? `${text.slice(0, -4)}Z` : text
}
