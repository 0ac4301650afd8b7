/** The steps of an import. The readers of the formats make them, and the import runs them. */
import type { Message, NewConversation, NewTurn } from '../../conversation/wire/schemas.ts'
import type { NewVoiceSession, TurnHalves } from '../../conversation/wire/voice-schemas.ts'
import type { ExportedMessage } from './export-format.ts'
import type { Json } from './json-value.ts'
import type { UnusedTimes } from './message-times.ts'

/** The audio of an AI message, and the id of its segment. */
export type Audio = {
  readonly messageId: string
  readonly urls: readonly (string | null)[]
  readonly segmentId: string | null
}

/**
 * The heard part of an interrupted AI message, and the time of the interruption. Both are null if
 * the report was taken back.
 */
export type Report = {
  readonly messageId: string
  readonly heard: Message['heard']
  readonly at: string | null
}

/** The turns of a line that is a whole conversation. */
export type WholeLine = {
  readonly turns: readonly NewTurn[]
  /** The same turns under the conversation id that earlier versions derived. */
  readonly earlier:
    | { readonly conversationId: string; readonly turns: readonly NewTurn[] }
    | undefined
  /** The id that `--source <file name>` would derive, undefined if it is the same id. */
  readonly idByFileName: string | undefined
  /** Advice for the user if the stored conversation differs from the one in the file. */
  readonly advice: string
  /** Whether the line itself gives the id, as a UUID. */
  readonly hasOwnId: boolean
  readonly externalPrefix: string
}

export type Step =
  | {
      readonly do: 'create'
      readonly body: NewConversation & { readonly id: string }
      /** Present if the line is a whole conversation. */
      readonly whole?: WholeLine
      readonly relocated: RelocatedCounts
    }
  | {
      readonly do: 'record'
      readonly key: string
      readonly turn: NewTurn
      /** The `seq` of the turn's first message, if the conversation is one line. */
      readonly seq?: number
      /** The turn's messages as the export has them, in order. */
      readonly exported?: readonly ExportedMessage[]
      /** Sent after the turn, because the request of a turn holds only values that never change. */
      readonly audio?: Audio
      readonly report?: Report
      /** The key of the seat in which an earlier import may have stored the human half. */
      readonly seatKey?: string
      readonly relocated: RelocatedCounts
    }
  /** Opens a seat: the place (`seq`) of a human message whose words had not arrived. */
  | { readonly do: 'seat'; readonly seq: number; readonly key: string }
  /** Completes a seat with one half of its turn: the human message or the answer. */
  | {
      readonly do: 'half'
      readonly seq: number
      /** The key of the turn's seat. */
      readonly key: string
      readonly halves: TurnHalves
      readonly audio?: Audio
      readonly report?: Report
    }
  /** Reports how much of an earlier answer the listener heard. */
  | { readonly do: 'heard'; readonly report: Report }
  | { readonly do: 'voiceSession'; readonly body: NewVoiceSession; readonly hasEnded: boolean }
  | { readonly do: 'segment'; readonly segmentId: string }
  | { readonly do: 'messageAudio'; readonly audio: Audio }
  | {
      readonly do: 'segmentAudio'
      readonly segmentId: string
      readonly urls: readonly (string | null)[]
    }
  /** The last line of a complete export. `messages` is the number of messages in the export. */
  | { readonly do: 'end'; readonly messages: number }
  /** The conversation was erased while it was exported. */
  | { readonly do: 'withdraw' }

/** Counts of the values that were stored in another place than their own, by `what -> where`. */
export type RelocatedCounts = ReadonlyMap<string, number>

/** The steps of one line, all of one conversation. */
export type Block = {
  readonly conversationId: string
  readonly steps: readonly Step[]
  /** Whether the conversation begins with this line. */
  readonly begins: boolean
  /** Whether later lines belong to the conversation, too. */
  readonly continues: boolean
  /** Values that have the name of a time but cannot be read as one. */
  readonly unusedTimes?: UnusedTimes
  /** Counts of messages that are not imported, by their kind. */
  readonly leftOut?: ReadonlyMap<string, number>
}

/** The id that a line gives its conversation, and the member that holds it. */
export type LineName = { readonly member: string; readonly id: string }

export type LineIdentity = {
  readonly conversationId: string
  readonly name: LineName | undefined
  /** The conversation id that earlier versions derived from the line number. */
  readonly earlierId: string | undefined
}

/** The facts about a line that its format needs beside the content. */
export type LineContext = LineIdentity & {
  /** The first part of an external id, before the line's own id. */
  readonly externalPrefix: string
  /** The source text of the number `holder[name]`. */
  readonly numberText: (holder: object, name: string) => string
  /** Splits the text of an answer into parts. */
  readonly split: (text: string) => string[]
  /** Makes metadata and traces fit if they are larger than the service stores. */
  readonly fit: (metadata: Json) => Json
}

/** A line that cannot be imported. The message completes the sentence "line N …". */
export class LineProblem extends Error {
  override readonly name = 'LineProblem'
}
