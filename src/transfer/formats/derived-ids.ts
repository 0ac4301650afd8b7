/**
 * Derives the ids and keys that an import makes itself. They are UUIDv5: the same source gives the
 * same ids in every run, so a run after an interrupted one continues it.
 */
import { createHash } from 'node:crypto'
import { v5 } from 'uuid'
import { canonicalId } from '../../conversation/wire/ids.ts'
import { isUuid } from '../../conversation/wire/validation.ts'

/** The namespace of derived ids, made once at random. */
const namespace = '5b1a0a86-53a2-4a1c-9a0e-6c1f6d1c9e2b'

/**
 * The name by which a source identifies a dialogue. A dialogue without an id is named by its text
 * and the number of equal lines before it. Earlier versions used its line number.
 */
export type DialogueName =
  | { readonly id: string }
  | { readonly text: string; readonly repeat: number }
  | { readonly line: number }

/**
 * Returns the conversation id of a dialogue: its own id if that is a UUID, otherwise a derived one.
 */
export function conversationIdOf(source: string, dialogue: DialogueName): string {
  if ('id' in dialogue && isUuid(dialogue.id)) return canonicalId(dialogue.id)
  return v5(JSON.stringify([source, ...partsOf(dialogue)]), namespace)
}

function partsOf(dialogue: DialogueName): (string | number)[] {
  if ('id' in dialogue) return [dialogue.id]
  if ('line' in dialogue) return [dialogue.line]
  return [createHash('sha256').update(dialogue.text).digest('hex'), dialogue.repeat]
}

/** Derives an id or an idempotency key within a conversation. */
export const idWithin = (conversationId: string, name: string): string => v5(name, conversationId)
