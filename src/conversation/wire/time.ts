/**
 * Times with microseconds. They are read as RFC 3339 and printed as RFC 3339 in UTC with six
 * digits. `Date` has only milliseconds, so a time here is the number of microseconds since 1970, as
 * a bigint.
 */

export type Micros = bigint

const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d(?::?\d\d)?)?$/

const earliest = BigInt(Date.UTC(2000, 0, 1) - 63082281600000) * 1000n // 0001-01-01T00:00:00Z
const latest = BigInt(Date.UTC(10000, 0, 1)) * 1000n - 1n

/**
 * Reads an RFC 3339 time, also with the offsets of ISO 8601: `+02:00`, `+0200` and `+02`. A time
 * without an offset is UTC. Digits after the sixth are dropped. A leap second (`:60`, with any
 * fraction) is the last microsecond before the next minute, so later times stay later. Returns
 * undefined for a text that is not a time, and for times outside the years 0001 to 9999.
 */
export function parseTime(text: string): Micros | undefined {
  const match = rfc3339.exec(text)
  if (match === null) return undefined
  const [, year, month, day, hour, minute, second, fraction = '', zone = 'Z'] = match
  const [y, mo, d, h, mi, s] = [year, month, day, hour, minute, second].map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ]
  if (h > 23 || mi > 59 || s > 60) return undefined
  const date = new Date(0)
  date.setUTCFullYear(y, mo - 1, d)
  if (date.getUTCMonth() !== mo - 1 || date.getUTCDate() !== d) return undefined
  const offset = zoneMinutes(zone)
  if (offset === undefined) return undefined
  const milliseconds = date.getTime() + ((h * 60 + mi - offset) * 60 + s) * 1000
  const micros =
    BigInt(milliseconds) * 1000n + (s === 60 ? -1n : BigInt(fraction.slice(0, 6).padEnd(6, '0')))
  return micros < earliest || micros > latest ? undefined : micros
}

function zoneMinutes(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0
  const hours = Number(zone.slice(1, 3))
  const minutes = Number(zone.slice(3).replace(':', ''))
  if (hours > 23 || minutes > 59) return undefined
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes)
}

/** Prints `YYYY-MM-DDTHH:MM:SS.ffffffZ`. */
export function printTime(micros: Micros): string {
  const rest = ((micros % 1000n) + 1000n) % 1000n
  const ms = Number((micros - rest) / 1000n)
  // Most printed times are recent, and many share one millisecond.
  if (ms !== printedMs) {
    printedStart = new Date(ms).toISOString().slice(0, -1)
    printedMs = ms
  }
  return `${printedStart}${String(rest).padStart(3, '0')}Z`
}

let printedMs = Number.NaN
let printedStart = ''

/** The wire form of a time in Postgres' text form in UTC (`2026-11-23 09:30:00.12+00`). */
export function timeFromPostgres(text: string): string {
  // Postgres drops trailing zeros of the fraction, and the whole fraction if it is zero.
  const fraction = text.slice(20, -3)
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction.padEnd(6, '0')}Z`
}

/** The current time. */
export const now = (): Micros => BigInt(Date.now()) * 1000n

/** The time `seconds` after `time`. */
export const secondsAfter = (time: Micros, seconds: number): Micros =>
  time + BigInt(seconds) * 1_000_000n
