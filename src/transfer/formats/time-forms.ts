/**
 * Reads times as libraries write them, in microseconds since 1970. Floats are read from their
 * source text.
 */
import { type Micros, parseTime } from '../../conversation/wire/time.ts'

/**
 * Numbers below this are no times but seconds since the start of a call. 1e8 seconds is the year
 * 1973.
 */
const smallest = 100_000_000n

/**
 * The units by magnitude. `decimals` is the number of decimals that turn a number below `below`
 * into microseconds.
 */
const units: readonly (readonly [below: bigint, decimals: number])[] = [
  [10n ** 11n, 6],
  [10n ** 14n, 3],
  [10n ** 17n, 0],
  [10n ** 20n, -3],
]

/**
 * Reads the text of a number of seconds, milliseconds, microseconds or nanoseconds since 1970. Its
 * magnitude decides the unit. Digits below a microsecond are cut.
 */
export function timeOfNumber(text: string): Micros | undefined {
  const match = /^(\d{9,20})(?:\.(\d+))?$/.exec(/[eE]/.test(text) ? String(Number(text)) : text)
  const [, whole = '0', fraction = ''] = match ?? []
  const number = BigInt(whole)
  const decimals = units.find(([below]) => number < below)?.[1]
  if (number < smallest || decimals === undefined) return undefined
  return atDecimals(number, fraction, decimals)
}

function atDecimals(number: bigint, fraction: string, decimals: number): Micros {
  if (decimals < 0) return number / 10n ** BigInt(-decimals)
  return BigInt(`${number}${fraction.slice(0, decimals).padEnd(decimals, '0')}`)
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/**
 * Reads a time that is a text, a number (from its source text) or an object: MongoDB's `{ "$date"
 * }`, or `{ "seconds", "nanos" }` as protobuf and Firestore write it. Returns undefined for any
 * other value.
 */
export function timeOfValue(value: unknown, numberText: string): Micros | undefined {
  if (typeof value === 'number') return timeOfNumber(numberText)
  if (typeof value === 'string') return timeOfNumber(value.trim()) ?? timeOfText(value.trim())
  if (!isObject(value)) return undefined
  const { $date: date } = value
  if (date !== undefined) return timeOfDate(date)
  const seconds = value['seconds'] ?? value['_seconds']
  const nanos = value['nanos'] ?? value['nanoseconds'] ?? value['_nanoseconds'] ?? 0
  if (!/^\d{9,11}$/.test(String(seconds)) || !Number.isInteger(nanos)) return undefined
  return BigInt(String(seconds)) * 1_000_000n + BigInt(Number(nanos)) / 1000n
}

/** Reads a `$date`. A number in it always counts milliseconds. */
function timeOfDate(date: unknown): Micros | undefined {
  const number = isObject(date) ? date['$numberLong'] : date
  if (typeof number === 'string' && !/^-?\d+$/.test(number)) return timeOfText(number)
  if (!/^-?\d{1,15}$/.test(String(number))) return undefined
  return BigInt(String(number)) * 1000n
}

const months = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ')
const zones: Readonly<Record<string, string>> = {
  ...{ z: 'Z', ut: 'Z', utc: 'Z', gmt: 'Z' },
  ...{ est: '-05:00', edt: '-04:00', cst: '-06:00', cdt: '-05:00' },
  ...{ mst: '-07:00', mdt: '-06:00', pst: '-08:00', pdt: '-07:00' },
}

/**
 * The forms of a time as a text. The groups name its parts. A missing part is zero, and a missing
 * zone is UTC.
 */
const forms: readonly RegExp[] = [
  // ISO 8601: `2024-05-20`, `2024-05-20 10:13`, `2024-05-20T10:13:27,5 +0200`, `… UTC`.
  /^(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)(?:[Tt ]\s*(?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d+))?)?\s*(?<zone>[A-Za-z]+|[+-]\d\d(?::?\d\d)?)?)?$/,
  // Its basic form: `20240520T101327Z`.
  /^(?<year>\d{4})(?<month>\d\d)(?<day>\d\d)[Tt](?<hour>\d\d)(?<minute>\d\d)(?<second>\d\d)(?:[.,](?<fraction>\d+))?(?<zone>[Zz]|[+-]\d\d(?::?\d\d)?)?$/,
  // RFC 2822: `Mon, 20 May 2024 10:13:26 +0200 (CEST)`.
  /^(?:[A-Za-z]{3,9},?\s+)?(?<day>\d{1,2})\s+(?<month>[A-Za-z]{3})\s+(?<year>\d{4})\s+(?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d))?\s*(?<zone>[A-Za-z]+|[+-]\d{4})?(?:\s+\([^)]*\))?$/,
  // asctime, with an optional zone: `Mon May 20 10:13:26 +0000 2024`.
  /^[A-Za-z]{3}\s+(?<month>[A-Za-z]{3})\s+(?<day>\d{1,2})\s+(?<hour>\d\d):(?<minute>\d\d):(?<second>\d\d)(?:\s+(?<zone>[A-Za-z]+|[+-]\d{4}))?\s+(?<year>\d{4})$/,
]

/** Reads a time in one of the forms of a text. Returns undefined for any other text. */
export function timeOfText(text: string): Micros | undefined {
  const parts = forms.map((form) => form.exec(text)?.groups).find((one) => one !== undefined)
  if (parts === undefined) return undefined
  const { year, month = '', day = '', hour = '00', minute = '00', second = '00', fraction } = parts
  const { zone = 'Z' } = parts
  const offset = /^[+-]/.test(zone) ? withMinutes(zone) : zones[zone.toLowerCase()]
  if (offset === undefined) return undefined
  const monthNumber = /^\d/.test(month)
    ? month
    : String(months.indexOf(month.toLowerCase()) + 1).padStart(2, '0')
  const date = `${year}-${monthNumber}-${day.padStart(2, '0')}`
  const rest = fraction === undefined ? '' : `.${fraction}`
  return parseTime(`${date}T${hour}:${minute}:${second}${rest}${offset}`)
}

/** `+02` and `+0200` -> `+02:00`. */
const withMinutes = (zone: string) =>
  `${zone.slice(0, 3)}:${zone.slice(3).replace(':', '') || '00'}`
