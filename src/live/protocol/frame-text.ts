/** The texts of server frames. */

import type { Slice, Snapshot } from '../../conversation/reading/live-reads.ts'
import { encodeCursor } from '../../conversation/wire/ids.ts'
import type { Conversation } from '../../conversation/wire/schemas.ts'
import type { Problem } from '../../problem.ts'
import { type Closing, closings } from './close-codes.ts'
import type { Named } from './frame.ts'
import type { ServerFrame } from './server-frames.ts'

export const textOf = (frame: ServerFrame): string => JSON.stringify(frame)

/** The text of the changes in a slice. */
export function changeText(conversationId: string, slice: Slice): string {
  const { from, version, messages, segments, voiceSessions, conversation } = slice
  return textOf({
    t: 'change',
    c: conversationId,
    from,
    version,
    cursor: encodeCursor(conversationId, version),
    messages: [...messages],
    ...(segments.length > 0 ? { segments: [...segments] } : {}),
    ...(voiceSessions.length > 0 ? { voiceSessions: [...voiceSessions] } : {}),
    ...(conversation === undefined ? {} : { conversation }),
  })
}

/** The text of a change that replaces all: the newest `last` messages of a snapshot. */
export function snapshotText(
  conversationId: string,
  { conversation, messages }: Snapshot,
  last: number,
): string {
  const { version } = conversation
  return textOf({
    t: 'change',
    c: conversationId,
    from: 0,
    version,
    cursor: encodeCursor(conversationId, version),
    snapshot: true,
    messages: last === 0 ? [] : messages.slice(-last),
    conversation,
  })
}

/** The text of the change that erased a conversation, with no other row. */
export const erasedText = (
  conversationId: string,
  from: number,
  conversation: Conversation,
): string =>
  changeText(conversationId, {
    from,
    version: conversation.version,
    messages: [],
    segments: [],
    voiceSessions: [],
    conversation,
  })

/** The fields that pair an answer with its frame. */
export const namesOf = ({ id, c }: Named): Named => ({
  ...(id === undefined ? {} : { id }),
  ...(c === undefined ? {} : { c }),
})

export const problemText = (problem: Problem, named: Named, requestId?: string): string =>
  textOf({ t: 'problem', ...named, ...problem.body(requestId) })

export function byeText(closing: Closing): string {
  const { code, retryMs } = closings[closing]
  return textOf({ t: 'bye', code, reason: closing, retryMs: [retryMs[0], retryMs[1]] })
}
