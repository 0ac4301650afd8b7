/**
 * Versionstamps that are never used again, though nothing is kept: microseconds since 1970 that only
 * grow (13 hexadecimal digits), then 28 random bits (7 digits), lest a clock set back repeats one.
 * A store that keeps its data names the greatest versionstamp in it, and gets one above.
 */
export function createStamps(): (above?: string) => string {
  let last = 0
  return (above = '') => {
    const known = Number.parseInt(above.slice(0, 13) || '0', 16)
    last = Math.max(Date.now() * 1000, last + 1, known + 1)
    return last.toString(16).padStart(13, '0') + randomDigits()
  }
}

export const randomDigits = () =>
  Math.floor(Math.random() * 2 ** 28)
    .toString(16)
    .padStart(7, '0')
