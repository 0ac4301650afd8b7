/** Turns a line of an export into the step that reproduces it in another service. */
import { canonicalId } from '../../conversation/wire/ids.ts'
import { Message, NewAssistant, type NewTurn, NewUser } from '../../conversation/wire/schemas.ts'
import { idWithin } from './derived-ids.ts'
import {
  checkExportLine,
  type ExportedMessage,
  type ExportLine,
  type HalfLine,
  type TurnLine,
} from './export-format.ts'
import { type Block, LineProblem, type RelocatedCounts, type Step } from './steps.ts'

const nothingRelocated: RelocatedCounts = new Map()

/** Throws a `LineProblem` for a value that is not a valid line of an export. */
export function readExportLine(value: unknown): Block {
  const line = checkExportLine(value)
  if ('wrong' in line) throw new LineProblem(line.wrong)
  const begins = line.type === 'conversation'
  const conversationId = canonicalId(begins ? line.id : line.conversationId)
  const continues = line.type !== 'end' && line.type !== 'erased'
  return { conversationId, steps: [stepOf(line, conversationId)], begins, continues }
}

function stepOf(line: ExportLine, conversationId: string): Step {
  switch (line.type) {
    case 'conversation': {
      const { id, externalId, title, metadata, createdAt } = line
      const body = {
        id,
        ...(externalId === null ? {} : { externalId }),
        ...(title === null ? {} : { title }),
        ...(metadata === null ? {} : { metadata }),
        createdAt,
      }
      return { do: 'create', body, relocated: nothingRelocated }
    }
    case 'segment':
      return { do: 'segment', segmentId: line.id }
    case 'turn':
      return recordOf(line, conversationId)
    case 'half':
      return halfOf(line, conversationId)
    case 'seat':
      return { do: 'seat', seq: line.seq, key: seatKey(conversationId, line.seq) }
    case 'heard': {
      const { messageId, heard, interruptedAt: at } = line
      return { do: 'heard', report: { messageId, heard, at } }
    }
    case 'voiceSession': {
      const { id, metadata, endedAt } = line
      const body = { id, ...(metadata === null ? {} : { metadata }) }
      return { do: 'voiceSession', body, hasEnded: endedAt !== null }
    }
    case 'messageAudio': {
      const { messageId, segmentId, ttsAudioUrls: urls } = line
      return { do: 'messageAudio', audio: { messageId, segmentId, urls } }
    }
    case 'segmentAudio':
      return { do: 'segmentAudio', segmentId: line.segmentId, urls: line.ttsAudioUrls }
    case 'end':
      return { do: 'end', messages: line.messages }
    case 'erased':
      return { do: 'withdraw' }
  }
}

/**
 * Makes the step that records a turn. Its request holds only values that never change, so that an
 * import of a later export of the same conversation sends the same request. The audio, and a
 * segment tag that came with it, are sent afterwards. The turn has the segment tag of its first
 * message: the human message keeps the first tag of the turn, and an answer without a human message
 * has only its present tag.
 */
function recordOf(line: TurnLine, conversationId: string): Step {
  const { messages, completes } = line
  const human = messages.find(({ role }) => role === 'human')
  const ai = messages.find(({ role }) => role === 'ai')
  const [first] = messages
  if (ai === undefined || first === undefined)
    throw new LineProblem('is not a turn: it has no answer')
  const tag = first.segmentId
  if (completes !== undefined && completes.segmentId !== tag)
    throw new LineProblem('is not a turn: it completes a segment that it does not belong to')
  const turn: NewTurn = {
    ...(human === undefined ? {} : { user: userOf(human) }),
    assistant: assistantOf(ai),
    ...segmentOf(tag, completes),
  }
  return {
    do: 'record',
    key: idWithin(conversationId, `turn ${canonicalId(first.id)}`),
    turn,
    exported: messages,
    ...laterChangesOf(ai),
    ...(human === undefined ? {} : { seatKey: seatKey(conversationId, human.seq) }),
    relocated: nothingRelocated,
  }
}

const seatKey = (conversationId: string, seq: number) => idWithin(conversationId, `seat ${seq}`)

/**
 * Makes the step that fills a seat. The id of the human message is left out: the service makes it.
 */
function halfOf({ seat, message, completes }: HalfLine, conversationId: string): Step {
  const common = { do: 'half', seq: message.seq, key: seatKey(conversationId, seat) } as const
  if (message.role === 'human') {
    const { id: _, ...user } = userOf(message)
    return { ...common, halves: { user } }
  }
  const halves = { assistant: assistantOf(message), ...segmentOf(message.segmentId, completes) }
  return { ...common, halves, ...laterChangesOf(message) }
}

const segmentOf = (id: string | null, completes: TurnLine['completes']) =>
  id === null
    ? {}
    : {
        segment: {
          id,
          ...(completes === undefined ? {} : { agentResponse: completes.agentResponse }),
        },
      }

function assistantOf(ai: ExportedMessage): NewTurn['assistant'] {
  const { id, parts: responses, createdAt: at } = ai
  return { ...{ id, responses, at }, ...givenOf(ai, assistantNames) }
}

type Named = Exclude<keyof ExportedMessage, 'id' | 'ttsAudioUrls'>

/**
 * Returns the names that messages share with these properties. Ids and audio URLs are sent
 * otherwise.
 */
const namesIn = <Properties extends object>(properties: Properties) =>
  Object.keys(properties).filter(
    (name) => name in Message.properties && name !== 'id' && name !== 'ttsAudioUrls',
  ) as Extract<keyof Properties, Named>[]

const assistantNames = namesIn(NewAssistant.properties)
const userNames = namesIn(NewUser.properties)
const voiceNames = namesIn(NewUser.properties.voice.properties)

/** Returns the members with these names that are not null. */
const givenOf = <Name extends Named>(message: ExportedMessage, names: readonly Name[]) =>
  Object.fromEntries(
    names.flatMap((name) => ((message[name] ?? null) === null ? [] : [[name, message[name]]])),
  ) as { [Each in Name]?: NonNullable<ExportedMessage[Each]> }

/** Returns the values of an answer that may change after it was recorded. */
function laterChangesOf({
  id: messageId,
  ttsAudioUrls: urls,
  segmentId,
  ...message
}: ExportedMessage) {
  const { heard = null, interruptedAt: at = null } = message
  return {
    ...(urls === null ? {} : { audio: { messageId, urls, segmentId } }),
    ...(heard === null || at === null ? {} : { report: { messageId, heard, at } }),
  }
}

function userOf(human: ExportedMessage): NonNullable<NewTurn['user']> {
  const { voiceSessionId } = human
  return {
    id: human.id,
    text: human.parts.join(''),
    at: human.createdAt,
    ...(human.messageType === 'audio'
      ? {
          voice: {
            ...(voiceSessionId === null ? {} : { sessionId: voiceSessionId }),
            ...givenOf(human, voiceNames),
          },
        }
      : {}),
    ...givenOf(human, userNames),
  }
}
