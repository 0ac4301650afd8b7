/**
 * LiveClient is a strict client of the live socket. It checks every frame against its schema and
 * every change against the rules of delivery, and builds the state of each conversation as an app
 * would.
 */
import { Compile } from 'typebox/compile'
import type {
  Conversation,
  Message,
  Segment,
  VoiceSession,
} from '../../../src/conversation/wire/schemas.ts'
import type { Listening } from '../../../src/http/listen.ts'
import {
  type ServerFrame,
  type ServerFrames,
  serverFrames,
} from '../../../src/live/protocol/server-frames.ts'
import { until } from '../servers/processes.ts'

const checks = new Map(
  Object.entries(serverFrames).map(([name, schema]) => [name, Compile(schema)]),
)

/** The state of one conversation that a client has built, over all its sockets. */
export class Copy {
  readonly messages = new Map<string, Message>()
  readonly segments = new Map<string, Segment>()
  readonly voiceSessions = new Map<string, VoiceSession>()
  conversation: Conversation | undefined
  cursor: string | undefined
  last: number | undefined
  /** The id and version of each message that arrived. */
  readonly received = new Set<string>()
  resets: string[] = []

  take(frame: ServerFrames['change']): void {
    const { from, version, cursor, snapshot, conversation } = frame
    const { messages, segments = [], voiceSessions = [] } = frame
    if (snapshot === true) {
      this.messages.clear()
      this.segments.clear()
      this.voiceSessions.clear()
      this.received.clear()
      if (from !== 0) throw new Error('a snapshot does not begin at 0')
    } else {
      if (from !== this.last) throw new Error(`a range from ${from} came after ${this.last}`)
      if (version <= from) throw new Error(`the range ${from}..${version} is none`)
      for (const row of [...messages, ...segments, ...voiceSessions])
        if (row.version <= from || row.version > version)
          throw new Error(`version ${row.version} came in ${from}..${version}`)
    }
    for (const message of messages) {
      const name = `${message.id} ${message.version}`
      if (this.received.has(name)) throw new Error(`${name} came twice`)
      this.received.add(name)
      this.messages.set(message.id, message)
    }
    for (const segment of segments) this.segments.set(segment.id, segment)
    for (const session of voiceSessions) this.voiceSessions.set(session.id, session)
    if (conversation !== undefined) this.conversation = conversation
    this.last = version
    this.cursor = cursor
  }

  get state() {
    return {
      messages: [...this.messages.values()].sort((a, b) => a.seq - b.seq),
      segments: [...this.segments.values()].sort((a, b) => (a.id < b.id ? -1 : 1)),
    }
  }
}

export class LiveClient {
  readonly frames: ServerFrame[] = []
  readonly copies: Map<string, Copy>
  readonly socket: WebSocket & { terminate?(): void }
  /** The error of the first frame that broke a rule. */
  wrong: unknown
  closed: { code: number; reason: string } | undefined
  readonly opened: Promise<void>

  constructor(
    at: Pick<Listening, 'url'> | string,
    query = '',
    options: { copies?: Map<string, Copy>; protocols?: string[] } = {},
  ) {
    const base = typeof at === 'string' ? at : at.url
    this.copies = options.copies ?? new Map()
    this.socket = new WebSocket(`${base.replace('http', 'ws')}/v1/live${query}`, options.protocols)
    const opened = Promise.withResolvers<void>()
    this.opened = opened.promise
    opened.promise.catch(() => {})
    this.socket.onmessage = ({ data }) => {
      try {
        this.#take(JSON.parse(String(data)))
      } catch (error) {
        this.wrong ??= error
      }
    }
    this.socket.onopen = () => opened.resolve()
    this.socket.onclose = ({ code, reason }) => {
      this.closed = { code, reason }
      opened.reject(new Error(`closed with ${code}`))
    }
  }

  send(...frames: (object | string)[]): void {
    for (const frame of frames)
      this.socket.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  }

  copy(c: string): Copy {
    const found = this.copies.get(c) ?? new Copy()
    this.copies.set(c, found)
    return found
  }

  of<T extends ServerFrame['t']>(t: T): Extract<ServerFrame, { t: T }>[] {
    return this.frames.filter((frame): frame is Extract<ServerFrame, { t: T }> => frame.t === t)
  }

  /**
   * Waits for a frame of this type for which `is` is true. Fails at the first frame that breaks a
   * rule.
   */
  async until<T extends ServerFrame['t']>(
    t: T,
    is: (frame: Extract<ServerFrame, { t: T }>) => boolean = () => true,
    withinMs?: number,
  ): Promise<Extract<ServerFrame, { t: T }>> {
    await until(`a frame ${t} that fits`, () => this.#judged(() => this.of(t).some(is)), withinMs)
    const found = this.of(t).find(is)
    if (found === undefined) throw new Error(`the frame ${t} is gone`)
    return found
  }

  /** Waits until the client has the changes up to this version. */
  async reaches(c: string, version: number, withinMs?: number): Promise<void> {
    const there = () => this.#judged(() => (this.copy(c).last ?? 0) >= version)
    await until(`version ${version}`, there, withinMs)
  }

  close(): void {
    this.socket.close()
  }

  /** Cuts the connection. */
  terminate(): void {
    // Bun's own method cuts the connection without a close frame.
    this.socket.terminate?.()
  }

  #judged<T>(look: () => T): T {
    if (this.wrong !== undefined) throw this.wrong
    return look()
  }

  #take(frame: ServerFrame): void {
    const check = checks.get(frame.t)
    if (check === undefined) throw new Error(`an unknown frame: ${frame.t}`)
    if (!check.Check(frame))
      throw new Error(`${JSON.stringify(check.Errors(frame))} in ${JSON.stringify(frame)}`)
    this.frames.push(frame)
    if (frame.t === 'change') this.copy(frame.c).take(frame)
    if (frame.t === 'subscribed') {
      const copy = this.copy(frame.c)
      copy.cursor = frame.cursor
      copy.last = versionOf(frame.cursor)
    }
    if (frame.t === 'reset') this.copy(frame.c).resets.push(frame.reason)
  }
}

/** The version in a cursor. Tests read it, but a client must not. */
export const versionOf = (cursor: string): number =>
  Buffer.from(cursor, 'base64url').readUIntBE(2, 6)
