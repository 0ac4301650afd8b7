/**
 * Makes versionstamps that are never used a second time, without storing anything. A versionstamp
 * is the time in microseconds since 1970 as 13 hexadecimal digits, which only grow, and 28 random
 * bits as 7 digits. The random bits prevent a repetition after the clock was set back. A store that
 * keeps its data passes the greatest versionstamp in it as `above`, and gets a greater one.
 */
export function createStamps(): (above?: string) => string {
  let last = 0
  return (above = '') => {
    const floor = Number.parseInt(above.slice(0, 13) || '0', 16)
    last = Math.max(Date.now() * 1000, last + 1, floor + 1)
    return last.toString(16).padStart(13, '0') + randomDigits()
  }
}

/** 28 random bits as 7 hexadecimal digits. */
export const randomDigits = () =>
  Math.floor(Math.random() * 2 ** 28)
    .toString(16)
    .padStart(7, '0')
