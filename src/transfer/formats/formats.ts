/** The formats that an import reads. */

import { dialogueIds, isDialogue, readDialogue } from './dialogues.ts'
import { isExportLine } from './export-format.ts'
import { readExportLine } from './export-steps.ts'
import { isOpenai, openaiIds, readOpenai } from './openai.ts'
import type { Block, LineContext } from './steps.ts'

export const formatNames = ['turnlog', 'openai', 'dialogues'] as const
export type FormatName = (typeof formatNames)[number]

export type Format = {
  readonly name: FormatName
  /** Whether a line is meant as one of this format, even if it is not valid. */
  readonly claims: (line: unknown) => boolean
  /** The members of a line that may hold its id. Empty if a line is not a whole conversation. */
  readonly ids: readonly string[]
  /** Throws a `LineProblem` for a line that is not valid. */
  readonly read: (line: unknown, context: LineContext) => Block
}

const formats: readonly Format[] = [
  { name: 'turnlog', claims: isExportLine, ids: [], read: readExportLine },
  { name: 'openai', claims: isOpenai, ids: openaiIds, read: readOpenai },
  { name: 'dialogues', claims: isDialogue, ids: dialogueIds, read: readDialogue },
]

/** Returns the format that claims a line, or undefined if none does. */
export const formatOf = (line: unknown): Format | undefined =>
  formats.find(({ claims }) => claims(line))

export const formatNamed = (name: string): Format | undefined =>
  formats.find((format) => format.name === name)
