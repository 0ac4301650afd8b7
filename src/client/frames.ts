/** The frames of `turnlog.v1`, as this client sends and reads them. */
import type { Attach, Change, NewTurn } from '../conversation/wire.ts'
import type { ToldProblem } from '../problem.ts'

export const protocol = 'turnlog.v1'

export type Role = 'human' | 'ai'

/** Unanswered `record` and `attach` frames that the service takes of one socket. */
export type Credit = { readonly frames: number; readonly bytes: number }

/** Of one frame, and of one socket. */
export type Limits = { readonly frameBytes: number; readonly subscriptions: number }

export type SubFrame = { t: 'sub'; id: string; c: string; cursor?: string; tail?: number }

export type UnsubFrame = { t: 'unsub'; id: string; c: string }

export type ClientFrame =
  | SubFrame
  | UnsubFrame
  | { t: 'record'; id: string; key: string; c: string; turn: NewTurn }
  | ({ t: 'attach'; id: string; c: string; messageId?: string } & Attach)
  | { t: 'partial'; c: string; role: Role; text: string }
  | { t: 'pong' }

export type ChangeFrame = Change & { t: 'change'; c: string; snapshot?: boolean }

export type RecordedFrame = {
  t: 'recorded'
  id: string
  c: string
  version: number
  cursor: string
  humanMessageId: string | null
  assistantMessageId: string | null
  replayed: boolean
}

export type AttachedFrame = {
  t: 'attached'
  id: string
  c: string
  version: number
  cursor: string
  messageId: string | null
}

export type ByeFrame = { t: 'bye'; code: number; reason: string; retryMs?: [number, number] }

export type ServerFrame =
  | { t: 'welcome'; v: string; pingMs: number; credit: Credit; limits: Limits }
  | { t: 'subscribed'; id?: string; c: string; cursor: string }
  | ChangeFrame
  | { t: 'live'; c: string; version: number }
  | RecordedFrame
  | AttachedFrame
  | { t: 'partial'; c: string; role: Role; text: string }
  | ({ t: 'problem'; id?: string; c?: string } & ToldProblem)
  | { t: 'ping'; heads?: Readonly<Record<string, number>> }
  | { t: 'unsubscribed'; id?: string; c: string }
  | { t: 'reset'; id?: string; c: string; reason: string }
  | ByeFrame

type Shape = { readonly [member: string]: (value: unknown) => boolean }

const text = (value: unknown) => typeof value === 'string'
const version = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
const count = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0
const list = (value: unknown) => Array.isArray(value)
const flag = (value: unknown) => typeof value === 'boolean'
const record = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
const optional = (check: (value: unknown) => boolean) => (value: unknown) =>
  value === undefined || value === null || check(value)
const pair = (value: unknown) =>
  Array.isArray(value) && value.length === 2 && value.every((each) => Number.isFinite(each))

/** What this client relies on; members it does not know are let through. */
const shapes: { readonly [T in ServerFrame['t']]: Shape } = {
  welcome: {
    v: text,
    pingMs: count,
    credit: (value) => record(value) && count(value['frames']) && count(value['bytes']),
    limits: (value) => record(value) && count(value['frameBytes']) && count(value['subscriptions']),
  },
  subscribed: { id: optional(text), c: text, cursor: text },
  change: {
    c: text,
    from: version,
    version,
    cursor: text,
    messages: list,
    segments: optional(list),
    conversation: optional(record),
  },
  live: { c: text, version },
  recorded: { id: text, c: text, version, cursor: text, replayed: flag },
  attached: { id: text, c: text, version, cursor: text },
  partial: { c: text, role: (value) => value === 'human' || value === 'ai', text },
  problem: {
    id: optional(text),
    c: optional(text),
    code: text,
    title: text,
    status: count,
    retryable: flag,
  },
  ping: { heads: optional((value) => record(value) && Object.values(value).every(version)) },
  unsubscribed: { id: optional(text), c: text },
  reset: { id: optional(text), c: text, reason: text },
  bye: { code: count, reason: text, retryMs: optional(pair) },
}

const isKnown = (t: unknown): t is ServerFrame['t'] =>
  typeof t === 'string' && Object.hasOwn(shapes, t)

/**
 * A frame of the service. `unknown`: of a type that a later version added, to be passed over.
 * `broken`: whoever sends this does not speak the protocol.
 */
export function readFrame(data: unknown): ServerFrame | 'unknown' | 'broken' {
  if (typeof data !== 'string') return 'broken'
  let frame: unknown
  try {
    frame = JSON.parse(data)
  } catch {
    return 'broken'
  }
  if (!record(frame) || typeof frame['t'] !== 'string') return 'broken'
  const { t } = frame
  if (!isKnown(t)) return 'unknown'
  const whole = Object.entries(shapes[t]).every(([member, check]) => check(frame[member]))
  return whole ? (frame as ServerFrame) : 'broken'
}
