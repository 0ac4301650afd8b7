/** Reads the real dialogues in the folder next to the project, as turns. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { NewTurn } from '../../../src/conversation/wire/schemas.ts'

/** The folder of the dialogues. The environment variable `DIALOGUES` names another one. */
const folder = process.env['DIALOGUES'] ?? join(import.meta.dir, '../../../../shared/data')

export const dialogueFiles = ['sgd-dev.jsonl', 'crosswoz-zh.jsonl']

export const dialoguePath = (file: string): string => join(folder, file)

/** Whether the dialogues exist. Tests that need them are skipped if they do not. */
export const dialoguesAreHere = dialogueFiles.every((file) => existsSync(dialoguePath(file)))

export type Dialogue = {
  readonly id: string
  readonly turns: readonly { speaker: 'user' | 'system'; text: string; retrieval?: unknown[] }[]
}

export const readDialogues = (file: string): Dialogue[] =>
  readFileSync(dialoguePath(file), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))

/** Makes one turn of each user utterance and the system utterance after it. */
export function turnsOf(dialogue: Dialogue, split: (text: string) => string[]): NewTurn[] {
  const turns: NewTurn[] = []
  let user: string | undefined
  for (const { speaker, text, retrieval } of dialogue.turns) {
    if (speaker === 'user') {
      if (user !== undefined) throw new Error(`${dialogue.id} has two user utterances in a row`)
      user = text
      continue
    }
    turns.push({
      ...(user === undefined ? {} : { user: { text: user } }),
      assistant: {
        responses: split(text),
        ...(retrieval === undefined ? {} : { memoryRetrievalTrace: { lookups: retrieval } }),
      },
    })
    user = undefined
  }
  return turns
}

/** Splits an English or Chinese text into sentences. Joined, they are the same text. */
export const sentences = (text: string): string[] =>
  text.match(/[^.?!。？！]*[.?!。？！]*\s*/gu)?.filter((one) => one !== '') ?? [text]
