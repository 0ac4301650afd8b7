/**
 * Versionstamps that are never used again, though nothing is kept: microseconds since 1970 that only
 * grow (13 hexadecimal digits), then 28 random bits (7 digits), lest a clock set back repeats one.
 */
export function createStamps(): () => string {
  let last = 0
  return () => {
    last = Math.max(Date.now() * 1000, last + 1)
    return last.toString(16).padStart(13, '0') + randomDigits()
  }
}

export const randomDigits = () =>
  Math.floor(Math.random() * 2 ** 28)
    .toString(16)
    .padStart(7, '0')
