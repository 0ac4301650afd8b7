/**
 * Folds the lines of an export into the conversation that they describe, as a reader of the format
 * does.
 */
import type { Message, Segment } from '../../../src/conversation/wire/schemas.ts'
import type { ExportLine } from '../../../src/transfer/formats/export-format.ts'

type FoldedConversation = {
  readonly messages: readonly object[]
  readonly segments: readonly { readonly id: string }[]
}

/**
 * Folds lines. A later line of a segment replaces an earlier one, and so does a later line of
 * audio or of a heard part.
 */
export function folded(lines: readonly ExportLine[]): FoldedConversation {
  const messages = new Map<string, object>()
  const segments = new Map<string, { id: string }>()
  const audio = new Map<string, unknown>()
  const completions = new Map<string, unknown>()
  for (const line of lines) {
    if (line.type === 'turn') {
      for (const message of line.messages) messages.set(message.id, message)
      const { completes } = line
      if (completes !== undefined)
        completions.set(completes.segmentId, [line.messages[0]?.id, completes.agentResponse])
    } else if (line.type === 'segment') {
      const { type: _, createdAt: __, updatedAt: ___, ...rest } = line
      segments.set(line.id, rest)
    } else if (line.type === 'messageAudio') {
      const { messageId, segmentId, ttsAudioUrls } = line
      messages.set(messageId, { ...messages.get(messageId), segmentId, ttsAudioUrls })
    } else if (line.type === 'heard') {
      const { messageId, heard, interruptedAt } = line
      messages.set(messageId, { ...messages.get(messageId), heard, interruptedAt })
    } else if (line.type === 'segmentAudio') audio.set(line.segmentId, line.ttsAudioUrls)
  }
  return {
    messages: [...messages.values()],
    segments: [...segments.values()]
      .map((segment) => ({
        ...segment,
        ttsAudioUrls: audio.get(segment.id) ?? null,
        completion: completions.get(segment.id) ?? null,
      }))
      .sort((one, other) => (one.id < other.id ? -1 : 1)),
  }
}

/** Returns the messages and segments of the API in the same form. */
export function foldedFromApi(
  messages: readonly Message[],
  segments: readonly Segment[],
): FoldedConversation {
  return {
    messages: messages.map((message) => {
      const { conversationId: _, turnId: __, version: ___, content: ____, ...rest } = message
      return rest
    }),
    segments: segments
      .map((segment) => {
        const { version: _, createdAt: __, updatedAt: ___, ...rest } = segment
        const { userMessageId, agentResponse } = segment
        return {
          ...rest,
          completion: userMessageId === null ? null : [userMessageId, agentResponse],
        }
      })
      .sort((one, other) => (one.id < other.id ? -1 : 1)),
  }
}
