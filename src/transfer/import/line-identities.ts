/**
 * Derives the conversation id of each line. Within one run no two lines get the same one: a line that
 * repeats an earlier id is refused, and equal lines without an id are numbered.
 */

import { conversationIdOf } from '../formats/derived-ids.ts'
import { isJson } from '../formats/json-value.ts'
import { type LineIdentity, type LineName, LineProblem } from '../formats/steps.ts'
import { IdTable } from '../lines/id-table.ts'
import type { SourcedJson } from '../lines/sourced-json.ts'

export type LineSource = {
  /** What ids are derived from. */
  readonly source: string
  /** Whether a user chose it: then earlier imports may have used it, too. */
  readonly isChosen: boolean
  readonly file: string
}

const idCharactersMax = 100

/** Line numbers of several files in one double: exact up to 2^21 files of 2^32 lines. */
const linesMax = 2 ** 32

export class LineIdentities {
  /** The line of each conversation id, as file number and line number in one double. */
  readonly #seen = new IdTable()
  /** How many lines without an id were equal, by the id of the first one. */
  readonly #repeats = new IdTable()
  readonly #files: string[] = []
  #current: LineSource = { source: '', isChosen: true, file: '' }

  /** Sets the source of the lines that follow. */
  enter(source: LineSource): void {
    this.#current = source
    this.#files.push(source.file)
  }

  /**
   * `members`: where the format has ids; the first that holds one counts. Throws a `LineProblem` for
   * an id that an earlier line of this run has, whatever became of that line, and for one that is no
   * text and no whole number.
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
    const before = this.#seen.get(conversationId)
    if (before === undefined) {
      this.#seen.set(conversationId, (this.#files.length - 1) * linesMax + number)
      return
    }
    const file = this.#files[Math.floor(before / linesMax)]
    const where = file === this.#current.file ? '' : ` of ${file}`
    throw new LineProblem(
      `has the id of line ${before % linesMax}${where}, ${JSON.stringify(id.slice(0, idCharactersMax))}: nothing of it was imported, for one id is one conversation`,
    )
  }
}

/**
 * A number is taken by its source text: `1` and `"1"` are one id, `1.0` is none. Null counts as absent;
 * MongoDB's `{ "$oid" }` is its text.
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
    `/${member} is ${shown.slice(0, idCharactersMax).toWellFormed()}: an id is a text or a whole number`,
  )
}

/** The text of MongoDB's `{ "$oid" }`; any other value as it is. */
function textOf(id: unknown): unknown {
  if (!isJson(id)) return id
  const { $oid: text } = id
  return typeof text === 'string' && Object.keys(id).length === 1 ? text : id
}
