/** Splits a text into sentences. Joined, they are the same text, including its white space. */

/** Maximum number of sentences: the default maximum of parts of one answer (`limits.partsMax`). */
const partsMax = 64

const closers = new Set(['"', "'", '”', '’', ')', ']', '」', '』', '）', '》'])
const western = new Set(['.', '?', '!', '…'])
const eastern = new Set(['。', '？', '！'])
const space = /\s/

/**
 * Splits a text into sentences. A sentence ends after `. ? ! …` before white space, after `。？！`
 * anywhere, and at the end of a line. The closing quotes, brackets and white space after it belong
 * to it. The rule has only a few signs, so that a text has the same parts on every machine and in
 * every run.
 */
export function sentences(text: string): string[] {
  const found: string[] = []
  let start = 0
  let at = 0
  while (at < text.length) {
    const end = endOfSentence(text, at)
    if (end === undefined) at += 1
    else {
      found.push(text.slice(start, end))
      start = end
      at = end
    }
  }
  if (start < text.length) found.push(text.slice(start))
  return found.length > partsMax ? grouped(found) : found
}

/** Returns where the next sentence begins, or undefined if no sentence ends at this sign. */
function endOfSentence(text: string, at: number): number | undefined {
  const sign = text.charAt(at)
  if (sign === '\n') return afterSpace(text, at)
  const isEastern = eastern.has(sign)
  if (!isEastern && !western.has(sign)) return undefined
  const after = text.charAt(at + 1)
  // Of several signs in a row, the last one ends the sentence.
  if (western.has(after) || eastern.has(after)) return undefined
  let end = at + 1
  while (closers.has(text.charAt(end))) end += 1
  if (end < text.length && !isEastern && !space.test(text.charAt(end))) return undefined
  return afterSpace(text, end)
}

function afterSpace(text: string, at: number): number {
  let end = at
  while (end < text.length && space.test(text.charAt(end))) end += 1
  return end
}

/** Joins sentences to `partsMax` groups of about the same number of sentences. */
function grouped(parts: readonly string[]): string[] {
  return Array.from({ length: partsMax }, (_, n) =>
    parts
      .slice(
        Math.round((n * parts.length) / partsMax),
        Math.round(((n + 1) * parts.length) / partsMax),
      )
      .join(''),
  )
}
