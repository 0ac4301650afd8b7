/**
 * Ids and keys that an import makes itself: UUIDv5, so that the same source gives the same ones in
 * every run, and a run after an interrupted one continues it.
 */
import { createHash } from 'node:crypto'
import { v5 } from 'uuid'
import { canonicalId } from '../../conversation/wire/ids.ts'
import { isUuid } from '../../conversation/wire/validation.ts'

/** The namespace of these ids, made once at random. */
const namespace = '5b1a0a86-53a2-4a1c-9a0e-6c1f6d1c9e2b'

/**
 * The name that a source gives a dialogue; without a name, its text and the number of equal lines before
 * it. Earlier versions used the number of its line.
 */
export type DialogueName =
  | { readonly id: string }
  | { readonly text: string; readonly repeat: number }
  | { readonly line: number }

/** An id that is a UUID stays; any other is derived from the source and the dialogue. */
export function conversationIdOf(source: string, dialogue: DialogueName): string {
  if ('id' in dialogue && isUuid(dialogue.id)) return canonicalId(dialogue.id)
  return v5(JSON.stringify([source, ...partsOf(dialogue)]), namespace)
}

function partsOf(dialogue: DialogueName): (string | number)[] {
  if ('id' in dialogue) return [dialogue.id]
  if ('line' in dialogue) return [dialogue.line]
  return [createHash('sha256').update(dialogue.text).digest('hex'), dialogue.repeat]
}

/** The id, or the idempotency key, of something within a conversation. */
export const idWithin = (conversationId: string, name: string): string => v5(name, conversationId)
