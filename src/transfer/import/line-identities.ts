/**
 * Derives the conversation id of each line. Within one run no two lines get the same id: a line
 * that repeats an earlier id is refused, and equal lines without an id are numbered.
 */

import { conversationIdOf } from '../formats/derived-ids.ts'
import { isJson } from '../formats/json-value.ts'
import { type LineIdentity, type LineName, LineProblem } from '../formats/steps.ts'
import { IdTable } from '../lines/id-table.ts'
import type { SourcedJson } from '../lines/sourced-json.ts'

export type LineSource = {
  /** The text that ids are derived from. */
  readonly source: string
  /** Whether the user chose the source. Earlier versions of Turnlog may then have used it, too. */
  readonly isChosen: boolean
  readonly file: string
}

const idCharactersMax = 100

/** Line numbers of several files in one double: exact up to 2^21 files of 2^32 lines. */
const linesMax = 2 ** 32

export class LineIdentities {
  /** The line of each conversation id: file number and line number in one double. */
  readonly #lines = new IdTable()
  /** The number of equal lines without an id, by the conversation id of the first one. */
  readonly #repeats = new IdTable()
  readonly #files: string[] = []
  #current: LineSource = { source: '', isChosen: true, file: '' }

  /** Sets the source of the lines that follow. */
  enter(source: LineSource): void {
    this.#current = source
    this.#files.push(source.file)
  }

  /**
   * Returns the identity of a line. `members` names the members in which the format has ids; the
   * first one with an id counts. Throws a `LineProblem` if an earlier line of this run has the same
   * id, even if that line was refused, and if the id is neither a text nor a whole number.
   */
  of(json: SourcedJson, text: string, number: number, members: readonly string[]): LineIdentity {
    const name = nameIn(json, members)
    const { source, isChosen } = this.#current
    if (name !== undefined) {
      const conversationId = conversationIdOf(source, { id: name.id })
      this.#take(conversationId, name.id, number)
      return { conversationId, name, earlierId: undefined }
    }
    const first = conversationIdOf(source, { text, repeat: 0 })
    const repeat = this.#repeats.get(first) ?? 0
    this.#repeats.set(first, repeat + 1)
    const conversationId = repeat === 0 ? first : conversationIdOf(source, { text, repeat })
    const earlierId = isChosen ? conversationIdOf(source, { line: number }) : undefined
    return { conversationId, name, earlierId }
  }

  #take(conversationId: string, id: string, number: number): void {
    const earlier = this.#lines.get(conversationId)
    if (earlier === undefined) {
      this.#lines.set(conversationId, (this.#files.length - 1) * linesMax + number)
      return
    }
    const file = this.#files[Math.floor(earlier / linesMax)]
    const where = file === this.#current.file ? '' : ` of ${file}`
    throw new LineProblem(
      `has the same id as line ${earlier % linesMax}${where}, ${JSON.stringify(id.slice(0, idCharactersMax))}: this line was not imported, because one id names one conversation`,
    )
  }
}

/**
 * Finds the id of a line. A number counts by its source text: `1` and `"1"` are one id, and `1.0`
 * is refused. Null counts as absent. MongoDB's `{ "$oid" }` counts as its text.
 */
function nameIn(json: SourcedJson, members: readonly string[]): LineName | undefined {
  const { value } = json
  if (!isJson(value)) return undefined
  const member = members.find((one) => Object.hasOwn(value, one) && value[one] !== null)
  if (member === undefined) return undefined
  const id = textOf(value[member])
  if (typeof id === 'string' && id !== '') return { member, id }
  const text = typeof id === 'number' ? json.numberText(value, member) : ''
  if (/^(?:0|-?[1-9]\d*)$/.test(text)) return { member, id: text }
  const shown = typeof id === 'number' ? `the number ${text}` : JSON.stringify(id)
  throw new LineProblem(
    `/${member} is ${shown.slice(0, idCharactersMax).toWellFormed()}: an id must be a text or a whole number`,
  )
}

/** Returns the text of MongoDB's `{ "$oid" }`, and any other value unchanged. */
function textOf(id: unknown): unknown {
  if (!isJson(id)) return id
  const { $oid: text } = id
  return typeof text === 'string' && Object.keys(id).length === 1 ? text : id
}
