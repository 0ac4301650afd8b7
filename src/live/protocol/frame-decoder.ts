/** What a client sent -> a checked frame, or a problem that names what is wrong with it. */
import { Buffer } from 'node:buffer'
import Type from 'typebox'
import type { Attach, AttachByKey } from '../../conversation/wire/audio-schemas.ts'
import type { Decoder } from '../../conversation/wire/decode.ts'
import { canonicalId } from '../../conversation/wire/ids.ts'
import { outermostStrings } from '../../conversation/wire/json/json-scan.ts'
import { parseJson, refuseInexact } from '../../conversation/wire/json-text.ts'
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import { isUuid, refuse, shape, violation } from '../../conversation/wire/validation.ts'
import type {
  Interruption,
  NewVoiceSession,
  OpenTurn,
  TurnHalves,
} from '../../conversation/wire/voice-schemas.ts'
import { Problem, type Violation, violationProblem } from '../../problem.ts'
import { type ClientFrames, clientFrames, keyPattern } from './protocol.ts'

/** Ids are in their canonical form, and what a write takes has been through its decoder. */
export type Frame =
  | ClientFrames['sub' | 'unsub' | 'partial' | 'pong' | 'auth']
  | (Omit<ClientFrames['record'], 'turn'> & { readonly turn: NewTurn })
  | {
      readonly t: 'attach'
      readonly id?: string
      readonly c: string
      readonly messageId?: string
      readonly audio: Attach | AttachByKey
    }
  | VoiceFrame

type Addressed<T, More> = { readonly t: T; readonly id?: string; readonly c: string } & More

export type VoiceFrame =
  | Addressed<'turn.open', { readonly key: string; readonly body: OpenTurn }>
  | Addressed<'turn.complete', { readonly key: string; readonly body: TurnHalves }>
  | Addressed<'interrupt', { readonly messageId: string; readonly body: Interruption }>
  | Addressed<
      'voice.start',
      { readonly sessionId?: string; readonly body: Pick<NewVoiceSession, 'metadata'> }
    >
  | Addressed<'voice.end', { readonly sessionId: string }>

/** What can be told of a frame that was refused, so that its sender can pair the problem. */
export type Named = { readonly id?: string; readonly c?: string }

export type Decoded =
  | { readonly frame: Frame }
  | { readonly problem: Problem; readonly named: Named }

export type FrameDecoder = { decode(text: string | object): Decoded }

type Sent = {
  readonly sent: Record<string, unknown>
  readonly text: string
  readonly bytes: number
}

const closed = { additionalProperties: false } as const

/** Most bytes of a frame, and of the turn in it, which is what REST takes. */
export type FrameBounds = { readonly frameBytes: number; readonly turnBytes: number }

export function createFrameDecoder(decoder: Decoder, bounds: FrameBounds): FrameDecoder {
  // What the body of a write may be is the write's decoder's affair.
  const { turn: _, ...recordFields } = clientFrames.record.properties
  const { t, id, c, messageId } = clientFrames.attach.properties
  const { key } = clientFrames['turn.open'].properties
  const { sessionId } = clientFrames['voice.start'].properties
  const envelope = <T extends Type.TSchema>(schema: T) => shape(schema, envelopeDepthMax)
  const shapes = {
    sub: envelope(clientFrames.sub),
    unsub: envelope(clientFrames.unsub),
    partial: envelope(clientFrames.partial),
    pong: envelope(clientFrames.pong),
    auth: envelope(clientFrames.auth),
    record: envelope(Type.Object(recordFields, closed)),
    attach: envelope(Type.Object({ t, id, c, messageId }, closed)),
    turn: envelope(Type.Object({ t: Type.String(), id, c, key }, closed)),
    interrupt: envelope(
      Type.Object({ t: Type.String(), id, c, messageId: Type.String({ format: 'uuid' }) }, closed),
    ),
    voiceStart: envelope(Type.Object({ t: Type.String(), id, c, sessionId }, closed)),
    voiceEnd: envelope(clientFrames['voice.end']),
  }

  const parsed = (text: string | object): Sent => {
    if (typeof text !== 'string')
      throw new Problem('frame-invalid', 'The frame is binary, and must be JSON in a text message.')
    const bytes = Buffer.byteLength(text)
    if (bytes > bounds.frameBytes)
      throw new Problem(
        'frame-too-large',
        `The frame has ${bytes} bytes, at most ${bounds.frameBytes}.`,
      )
    const value = parseJson(text, 'frame')
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Problem('frame-invalid', 'The frame must be a JSON object.')
    return { sent: { ...value }, text, bytes }
  }

  /**
   * Called with a turn that the decoder took: printing recurses, and that one is not nested too deep.
   * A turn can only be too large if its frame is.
   */
  const checkSize = (turn: object, frameBytes: number) => {
    if (frameBytes <= bounds.turnBytes) return
    const bytes = Buffer.byteLength(JSON.stringify(turn))
    if (bytes > bounds.turnBytes)
      throw new Problem(
        'body-too-large',
        `The turn has ${bytes} bytes, at most ${bounds.turnBytes} (limits.turnBytesMax).`,
      )
  }

  const decoded = ({ sent, text, bytes }: Sent): Frame => {
    const { t: name } = sent
    refuseInexact(text)
    if (typeof name !== 'string')
      throw new Problem('frame-invalid', 'The frame must say what it is, in `t`.')
    switch (name) {
      case 'sub': {
        const frame = shapes.sub(sent)
        if (frame.cursor !== undefined && frame.tail !== undefined)
          refuse([violation('field-invalid', '/tail', 'cannot stand beside `cursor`')])
        return canonical(frame)
      }
      case 'unsub':
        return canonical(shapes.unsub(sent))
      case 'partial':
        return canonical(shapes.partial(sent))
      case 'pong':
        return shapes.pong(sent)
      case 'auth':
        return shapes.auth(sent)
      case 'record': {
        const { turn, ...rest } = sent
        checkKey(rest['key'])
        const frame = shapes.record(rest)
        if (turn === undefined) refuse([violation('field-missing', '/turn', 'is required')])
        const checked = below('/turn', () => decoder.turn(turn))
        checkSize(Object(turn), bytes)
        return { ...canonical(frame), turn: checked }
      }
      case 'attach': {
        const { own, rest } = parted(sent, ['t', 'id', 'c', 'messageId'])
        const frame = canonical(shapes.attach(own))
        const named =
          frame.messageId === undefined ? {} : { messageId: canonicalId(frame.messageId) }
        if ('key' in rest && frame.messageId !== undefined)
          refuse([violation('field-invalid', '/messageId', 'cannot stand beside `key`')])
        const audio = 'key' in rest ? decoder.attachByKey(rest) : decoder.attach(rest)
        return { ...frame, ...named, audio }
      }
      case 'turn.open':
      case 'turn.complete': {
        const { own, rest } = parted(sent, ['t', 'id', 'c', 'key'])
        checkKey(own['key'])
        const frame = canonical(shapes.turn(own))
        if (name === 'turn.open') return { ...frame, t: name, body: decoder.openTurn(rest) }
        const body = decoder.halves(rest)
        checkSize(rest, bytes)
        return { ...frame, t: name, body }
      }
      case 'interrupt': {
        const { own, rest } = parted(sent, ['t', 'id', 'c', 'messageId'])
        const frame = canonical(shapes.interrupt(own))
        const messageId = canonicalId(frame.messageId)
        return { ...frame, t: name, messageId, body: decoder.interruption(rest) }
      }
      case 'voice.start': {
        const { own, rest } = parted(sent, ['t', 'id', 'c', 'sessionId'])
        return { ...canonical(shapes.voiceStart(own)), t: name, body: decoder.voiceSession(rest) }
      }
      case 'voice.end':
        return canonical(shapes.voiceEnd(sent))
      default:
        throw new Problem('frame-unknown', `There is no such frame; there are ${names}.`)
    }
  }

  return {
    decode(text) {
      let named: Named = {}
      try {
        const sent = parsed(text)
        named = namesOf(sent.sent)
        return { frame: decoded(sent) }
      } catch (thrown) {
        if (!(thrown instanceof Problem)) throw thrown
        const isReadable = typeof text === 'string' && text.length <= bounds.frameBytes
        // It was not parsed, because it has too many values; its sender waits for this answer.
        if (thrown.code === 'frame-too-large' && isReadable) named = namesOf(outermostStrings(text))
        return { problem: thrown, named }
      }
    },
  }
}

/** The frame, an object or array in it, and one in that: deeper there is nothing. */
const envelopeDepthMax = 3

const names = Object.keys(clientFrames).join(', ')

const usableKey = new RegExp(keyPattern)

function checkKey(key: unknown): void {
  if (typeof key !== 'string' || usableKey.test(key)) return
  const message = 'must be 1 to 255 visible ASCII characters'
  refuse([violation('idempotency-key-invalid', '/key', message)])
}

const canonical = <F extends { readonly c: string }>(frame: F): F => ({
  ...frame,
  c: canonicalId(frame.c),
})

function parted(sent: Record<string, unknown>, own: readonly string[]) {
  const entries = Object.entries(sent)
  return {
    own: Object.fromEntries(entries.filter(([name]) => own.includes(name))),
    rest: Object.fromEntries(entries.filter(([name]) => !own.includes(name))),
  }
}

/** Only what the schemas would take: a problem must not carry back anything else. */
function namesOf({ id, c }: Record<string, unknown>): Named {
  return {
    ...(typeof id === 'string' && id.length > 0 && id.length <= 128 ? { id } : {}),
    ...(typeof c === 'string' && isUuid(c) ? { c } : {}),
  }
}

/** Places within a part of the frame become places within the frame. */
function below<T>(pointer: string, work: () => T): T {
  try {
    return work()
  } catch (thrown) {
    if (!(thrown instanceof Problem)) throw thrown
    const moved = thrown.violations.map(
      (one): Violation => ({ ...one, pointer: `${pointer}${one.pointer}` }),
    )
    const [first, ...rest] = moved
    throw first === undefined ? thrown : violationProblem([first, ...rest])
  }
}
