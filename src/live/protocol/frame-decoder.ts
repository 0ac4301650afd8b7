/**
 * FrameDecoder turns the text of a client into a checked frame, or into a problem that names the
 * error.
 */
import { Buffer } from 'node:buffer'
import Type from 'typebox'
import type { Decoder } from '../../conversation/wire/decode.ts'
import { canonicalId } from '../../conversation/wire/ids.ts'
import { outermostStrings } from '../../conversation/wire/json/json-scan.ts'
import { parseJson, refuseInexact } from '../../conversation/wire/json-text.ts'
import { isUuid, refuse, shape, violation } from '../../conversation/wire/validation.ts'
import { Problem, type Violation, violationProblem } from '../../problem.ts'
import type { Frame, Named } from './frame.ts'
import { keyPattern } from './frame-fields.ts'
import { clientFrames } from './protocol.ts'

export type Decoded =
  | { readonly frame: Frame }
  | { readonly problem: Problem; readonly named: Named }

type ParsedFrame = {
  readonly sent: Record<string, unknown>
  readonly text: string
  readonly bytes: number
}

const closed = { additionalProperties: false } as const

/** The maximum bytes of a frame, and of the turn in it. REST has the same bound for a turn. */
export type FrameBounds = { readonly frameBytes: number; readonly turnBytes: number }

/** The depth of the fields around a write: the frame, an object or array in it, and one in that. */
const envelopeDepthMax = 3

const envelope = <T extends Type.TSchema>(schema: T) => shape(schema, envelopeDepthMax)

const { turn: _, ...recordFields } = clientFrames.record.properties
const { t, id, c, messageId } = clientFrames.attach.properties
const { key } = clientFrames['turn.open'].properties
const { sessionId } = clientFrames['voice.start'].properties

/** Decoders of the fields around the body of a write. The write's own decoder checks the body. */
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

export class FrameDecoder {
  readonly #decoder: Decoder
  readonly #bounds: FrameBounds

  constructor(decoder: Decoder, bounds: FrameBounds) {
    this.#decoder = decoder
    this.#bounds = bounds
  }

  /** Decodes one message of a socket. `text` is an object if the message is binary. */
  decode(text: string | object): Decoded {
    let named: Named = {}
    try {
      const sent = this.#parsed(text)
      named = readableNames(sent.sent)
      return { frame: this.#decoded(sent) }
    } catch (thrown) {
      if (!(thrown instanceof Problem)) throw thrown
      const isReadable = typeof text === 'string' && text.length <= this.#bounds.frameBytes
      // A frame with too many values is not parsed. Its names pair the answer with it all the same.
      if (thrown.code === 'frame-too-large' && isReadable)
        named = readableNames(outermostStrings(text))
      return { problem: thrown, named }
    }
  }

  #parsed(text: string | object): ParsedFrame {
    const { frameBytes } = this.#bounds
    if (typeof text !== 'string')
      throw new Problem('frame-invalid', 'The frame is binary, and must be JSON in a text message.')
    const bytes = Buffer.byteLength(text)
    if (bytes > frameBytes)
      throw new Problem('frame-too-large', `The frame has ${bytes} bytes, at most ${frameBytes}.`)
    const value = parseJson(text, 'frame')
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Problem('frame-invalid', 'The frame must be a JSON object.')
    return { sent: { ...value }, text, bytes }
  }

  #decoded({ sent, text, bytes }: ParsedFrame): Frame {
    const { t: name } = sent
    refuseInexact(text)
    if (typeof name !== 'string')
      throw new Problem('frame-invalid', 'The frame must have a type, in `t`.')
    switch (name) {
      case 'sub': {
        const frame = shapes.sub(sent)
        if (frame.cursor !== undefined && frame.tail !== undefined)
          refuse([violation('field-invalid', '/tail', 'cannot be combined with `cursor`')])
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
      case 'record':
        return this.#record(sent, bytes)
      case 'attach':
        return this.#attach(sent)
      case 'turn.open':
      case 'turn.complete':
        return this.#turn(name, sent, bytes)
      case 'interrupt': {
        const { own, rest } = splitFields(sent, ['t', 'id', 'c', 'messageId'])
        const frame = canonical(shapes.interrupt(own))
        const messageId = canonicalId(frame.messageId)
        return { ...frame, t: name, messageId, body: this.#decoder.interruption(rest) }
      }
      case 'voice.start': {
        const { own, rest } = splitFields(sent, ['t', 'id', 'c', 'sessionId'])
        const frame = canonical(shapes.voiceStart(own))
        return { ...frame, t: name, body: this.#decoder.voiceSession(rest) }
      }
      case 'voice.end':
        return canonical(shapes.voiceEnd(sent))
      default:
        throw new Problem(
          'frame-unknown',
          `The type of the frame, in \`t\`, is unknown. The types are ${names}.`,
        )
    }
  }

  #record(sent: ParsedFrame['sent'], bytes: number): Frame {
    const { turn, ...rest } = sent
    checkKey(rest['key'])
    const frame = shapes.record(rest)
    if (turn === undefined) refuse([violation('field-missing', '/turn', 'is required')])
    const checked = pointingBelow('/turn', () => this.#decoder.turn(turn))
    this.#checkSize(Object(turn), bytes)
    return { ...canonical(frame), turn: checked }
  }

  #attach(sent: ParsedFrame['sent']): Frame {
    const { own, rest } = splitFields(sent, ['t', 'id', 'c', 'messageId'])
    const frame = canonical(shapes.attach(own))
    const named = frame.messageId === undefined ? {} : { messageId: canonicalId(frame.messageId) }
    if ('key' in rest && frame.messageId !== undefined)
      refuse([violation('field-invalid', '/messageId', 'cannot be combined with `key`')])
    const audio = 'key' in rest ? this.#decoder.attachByKey(rest) : this.#decoder.attach(rest)
    return { ...frame, ...named, audio }
  }

  #turn(name: 'turn.open' | 'turn.complete', sent: ParsedFrame['sent'], bytes: number): Frame {
    const { own, rest } = splitFields(sent, ['t', 'id', 'c', 'key'])
    checkKey(own['key'])
    const frame = canonical(shapes.turn(own))
    if (name === 'turn.open') return { ...frame, t: name, body: this.#decoder.openTurn(rest) }
    const body = this.#decoder.halves(rest)
    this.#checkSize(rest, bytes)
    return { ...frame, t: name, body }
  }

  /**
   * Refuses a turn of too many bytes, which only a large frame can have. It is called with a
   * decoded turn only: printing recurses, and the decoder has refused deep nesting.
   */
  #checkSize(turn: object, frameBytes: number): void {
    const { turnBytes } = this.#bounds
    if (frameBytes <= turnBytes) return
    const bytes = Buffer.byteLength(JSON.stringify(turn))
    if (bytes > turnBytes)
      throw new Problem(
        'body-too-large',
        `The turn has ${bytes} bytes, at most ${turnBytes} (limits.turnBytesMax).`,
      )
  }
}

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

function splitFields(sent: Record<string, unknown>, own: readonly string[]) {
  const entries = Object.entries(sent)
  return {
    own: Object.fromEntries(entries.filter(([name]) => own.includes(name))),
    rest: Object.fromEntries(entries.filter(([name]) => !own.includes(name))),
  }
}

/**
 * The `id` and `c` of a frame, if the schemas allow them. A problem must not send anything else
 * back.
 */
function readableNames({ id, c }: Record<string, unknown>): Named {
  return {
    ...(typeof id === 'string' && id.length > 0 && id.length <= 128 ? { id } : {}),
    ...(typeof c === 'string' && isUuid(c) ? { c } : {}),
  }
}

/**
 * Runs `work`, whose problems point into a part of the frame, and makes them point into the frame.
 */
function pointingBelow<T>(pointer: string, work: () => T): T {
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
