/** The lines of an export -> the conversation they tell of, as a reader of the format would. */
import type { Message, Segment } from '../../../src/conversation/wire/schemas.ts'
import type { ExportLine } from '../../../src/transfer/formats/export-format.ts'

type Told = {
  readonly messages: readonly object[]
  readonly segments: readonly { readonly id: string }[]
}

/** A later line of a segment, or of audio, takes the place of an earlier one. */
export function folded(lines: readonly ExportLine[]): Told {
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

/** What the API shows, in the same form. */
export function toldBy(messages: readonly Message[], segments: readonly Segment[]): Told {
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
