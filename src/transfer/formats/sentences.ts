/** A text -> its sentences. Joined, they are the text again, white space and all. */

/** The service takes no more parts of one answer, unless a setting says so. */
const partsMax = 64

const closers = new Set(['"', "'", '”', '’', ')', ']', '」', '』', '）', '》'])
const western = new Set(['.', '?', '!', '…'])
const eastern = new Set(['。', '？', '！'])
const space = /\s/

/**
 * A sentence ends after `. ? ! …` before white space, after `。？！` anywhere, and at the end of a
 * line; closing quotes and brackets, and the white space that follows, belong to it. It is a rule of
 * a few signs on purpose: the same text has the same parts on every machine, in every run.
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

/** Where the next sentence begins, if one ends at this sign. */
function endOfSentence(text: string, at: number): number | undefined {
  const sign = text.charAt(at)
  if (sign === '\n') return afterSpace(text, at)
  const isEastern = eastern.has(sign)
  if (!isEastern && !western.has(sign)) return undefined
  const after = text.charAt(at + 1)
  // The last of several is the one that ends the sentence.
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

/** As even as can be. */
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
