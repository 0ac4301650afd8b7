/** The frames of the protocol `turnlog.v1` that this client sends and reads. */
import type { ClientFrames } from '../../live/protocol/protocol.ts'
import type { ServerFrames } from '../../live/protocol/server-frames.ts'

/** The WebSocket subprotocol. */
export const protocol = 'turnlog.v1'

/** The speaker of a message: `human` or `ai`. */
export type Role = ClientFrames['partial']['role']

/** How many unanswered frames and bytes the service accepts on one socket. */
export type Credit = ServerFrames['welcome']['credit']
/** The service's limits of one frame and of one socket. */
export type Limits = ServerFrames['welcome']['limits']

type WithId<Frame> = Frame & { id: string }

export type SubFrame = WithId<ClientFrames['sub']>
export type UnsubFrame = WithId<ClientFrames['unsub']>

export type ClientFrame =
  | SubFrame
  | UnsubFrame
  | (WithId<ClientFrames['record']> & { key: string })
  | WithId<ClientFrames['attach']>
  | WithId<ClientFrames['turn.open' | 'turn.complete' | 'interrupt' | 'voice.start' | 'voice.end']>
  | ClientFrames['partial' | 'pong']

/** Adds `id` and `c` to the text of a frame, which is a JSON object with at least one member. */
export const frameText = (text: string, id: string, conversationId: string): string =>
  `${text.slice(0, -1)},"id":${JSON.stringify(id)},"c":${JSON.stringify(conversationId)}}`

export type ChangeFrame = ServerFrames['change']

export type ServerFrame = ServerFrames[keyof ServerFrames]

/** A check of each member of a frame that this client relies on. */
type Shape = { readonly [member: string]: (value: unknown) => boolean }

const text = (value: unknown) => typeof value === 'string'
const version = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
const count = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0
const list = (value: unknown) => Array.isArray(value)
const flag = (value: unknown) => typeof value === 'boolean'
export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const optional = (check: (value: unknown) => boolean) => (value: unknown) =>
  value === undefined || value === null || check(value)
const pair = (value: unknown) =>
  Array.isArray(value) && value.length === 2 && value.every((each) => Number.isFinite(each))

const inConversation = { id: optional(text), c: text }
/** The members of an answer to a write. */
const written = { ...inConversation, version, cursor: text }
const replayable = { ...written, replayed: flag }
const ofSession = { ...written, sessionId: text }

/** The members of each frame that this client relies on. Other members are allowed. */
export const shapes: { readonly [T in ServerFrame['t']]: Shape } = {
  welcome: {
    v: text,
    pingMs: count,
    credit: (value) => isRecord(value) && count(value['frames']) && count(value['bytes']),
    limits: (value) =>
      isRecord(value) && count(value['frameBytes']) && count(value['subscriptions']),
  },
  subscribed: { ...inConversation, cursor: text },
  change: {
    c: text,
    from: version,
    version,
    cursor: text,
    messages: list,
    segments: optional(list),
    voiceSessions: optional(list),
    conversation: optional(isRecord),
  },
  live: { c: text, version },
  recorded: { ...replayable, id: text },
  attached: { ...written, id: text },
  partial: { c: text, role: (value) => value === 'human' || value === 'ai', text },
  problem: {
    id: optional(text),
    c: optional(text),
    code: text,
    title: text,
    status: count,
    retryable: flag,
  },
  ping: { heads: optional((value) => isRecord(value) && Object.values(value).every(version)) },
  unsubscribed: inConversation,
  authenticated: {},
  reset: { ...inConversation, reason: text },
  'turn.opened': replayable,
  'turn.completed': replayable,
  interrupted: { ...written, changed: flag },
  'voice.started': ofSession,
  'voice.ended': ofSession,
  bye: { code: count, reason: text, retryMs: optional(pair) },
}

const isKnown = (t: unknown): t is ServerFrame['t'] =>
  typeof t === 'string' && Object.hasOwn(shapes, t)

/** Whether a value has all members of a shape. */
export const hasShape = (value: Readonly<Record<string, unknown>>, shape: Shape): boolean =>
  Object.entries(shape).every(([member, check]) => check(value[member]))

/**
 * Reads a frame of the service. Returns `unknown` for a type that a later version has added: the client ignores it.
 * Returns `broken` for data that is no frame of the protocol.
 */
export function readFrame(data: unknown): ServerFrame | 'unknown' | 'broken' {
  if (typeof data !== 'string') return 'broken'
  let frame: unknown
  try {
    frame = JSON.parse(data)
  } catch {
    return 'broken'
  }
  if (!isRecord(frame) || typeof frame['t'] !== 'string') return 'broken'
  const { t } = frame
  if (!isKnown(t)) return 'unknown'
  return hasShape(frame, shapes[t]) ? (frame as ServerFrame) : 'broken'
}
