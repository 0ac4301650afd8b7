/** A message outside any database, for tests. */
import { messageOf } from '../../src/conversation/sql/rows.ts'
import { nullFields } from '../../src/conversation/wire/null-fields.ts'
import type { Message } from '../../src/conversation/wire/schemas.ts'

/** A message that is a turn of its own. Its ids are made from its `seq`. */
export function plainMessage(
  conversationId: string,
  {
    seq,
    version,
    role = 'ai',
    text,
  }: Pick<Message, 'seq' | 'version'> & {
    readonly role?: Message['role']
    readonly text: string
  },
): Message {
  const id = `0192f0c1-7c00-7000-8000-${String(seq).padStart(12, '0')}`
  return messageOf(conversationId, {
    id,
    turnId: id,
    seq,
    version,
    role,
    parts: [text],
    messageType: 'text',
    ...nullFields,
    createdAt: '2026-11-23T09:30:00.123456Z',
    state: 'filled',
  })
}
