/**
 * Session is one socket: it answers the frames of its client and delivers its subscriptions. It
 * starts the work of one frame after another without a pause, so that no frame overtakes another.
 */
import type { Principal } from '../../conversation/wire/principal.ts'
import { Problem, toProblem } from '../../problem.ts'
import { UnfollowedPartials } from '../following/unfollowed-partials.ts'
import { type Closing, closings } from '../protocol/close-codes.ts'
import type { Frame, Named } from '../protocol/frame.ts'
import { protocolName } from '../protocol/frame-fields.ts'
import { byeText, namesOf, problemText, textOf } from '../protocol/frame-text.ts'
import type { ClientFrames } from '../protocol/protocol.ts'
import { Credit } from './credit.ts'
import type { FrameName } from './frame-log.ts'
import { Inbox, type InboxOwner, type ReceivedMessage } from './inbox.ts'
import type { Outbox } from './outbox.ts'
import type { NodeSession, SessionOptions } from './session-options.ts'
import { newHeads, Stream, type StreamOwner } from './stream.ts'
import { Streams } from './streams.ts'
import { WriteLines } from './write-lines.ts'

/** A socket without a sign of life for this many pings is closed. */
const silentPings = 2.25

/** Milliseconds that a closing socket has to take its last frames. */
const closingMs = 5000

export class Session implements NodeSession, StreamOwner, InboxOwner {
  readonly #options: SessionOptions
  readonly #principal: Principal
  readonly #outbox: Outbox
  readonly #inbox: Inbox
  readonly #streams = new Streams()
  // Created on first use: most sockets only follow conversations.
  #unfollowed: UnfollowedPartials | undefined
  #lines: WriteLines | undefined
  #credit: Credit | undefined
  #aliveAt = performance.now()
  #pingAt: number
  #isDraining = false
  #closeBy: number | undefined

  constructor(options: SessionOptions, outbox: Outbox, principal: Principal) {
    this.#options = options
    this.#principal = principal
    this.#outbox = outbox
    this.#inbox = new Inbox(options.inbox, this, outbox)
    this.#pingAt = this.#aliveAt + options.pingMs * Math.random()
    const { pingMs, credit, limits } = options
    this.send(textOf({ t: 'welcome', v: protocolName, pingMs, credit, limits }))
  }

  /** Takes a message from the client. */
  receive(sent: ReceivedMessage): void {
    this.#aliveAt = performance.now()
    this.#inbox.message(sent, this.#aliveAt)
  }

  /** Called for a WebSocket ping or pong. The runtime has answered a ping already. */
  control(): void {
    this.#aliveAt = performance.now()
    this.#inbox.control(this.#aliveAt)
  }

  flooded(): void {
    this.close('frames-exceeded')
  }

  take(sent: ReceivedMessage, weight: number): void {
    if (this.#isDraining || this.#closeBy !== undefined) return
    try {
      const decoded = this.#options.decoder.decode(sent)
      if ('problem' in decoded) {
        this.#inbox.chargeExtra(weight)
        this.#refuse(decoded.problem, decoded.named)
      } else this.handle(decoded.frame, typeof sent === 'string' ? sent.length : 0)
    } catch (thrown) {
      // A fault of the service leaves an unknown state, so the socket is closed.
      this.#options.log.failed(toProblem(thrown), {})
      this.close('internal')
    }
  }

  handle(frame: Frame, size = 0): void {
    switch (frame.t) {
      case 'sub':
        this.#answer(frame, size, () => this.#subscribe(frame))
        break
      case 'unsub':
        this.#streams.get(frame.c)?.stop()
        this.send(textOf({ ...namesOf(frame), t: 'unsubscribed', c: frame.c }))
        break
      case 'record': {
        const isNothing = frame.turn.assistant.responses.length === 0
        const { writer } = this.#options
        this.#write(frame, size, isNothing, () => writer.record(this.#principal, frame))
        break
      }
      case 'attach':
        this.#write(frame, size, true, () => this.#options.writer.attach(this.#principal, frame))
        break
      case 'turn.open':
      case 'turn.complete':
      case 'interrupt':
      case 'voice.start':
      case 'voice.end': {
        const { voice } = this.#options
        this.#write(frame, size, true, () => voice(this.#principal, frame, this))
        break
      }
      case 'partial':
        this.#speak(frame)
        break
      case 'auth':
        // There is no authentication yet: every client may do everything, without an expiry.
        this.send(textOf({ ...namesOf(frame), t: 'authenticated', until: null }))
        break
      case 'pong':
        break
    }
  }

  /** Continues delivery once the runtime's buffer has room again. */
  writable(now = performance.now()): void {
    if (!this.#outbox.hasRoomAgain(now)) return
    for (const stream of [...this.#streams]) stream.advance()
  }

  send(text: string): void {
    this.#outbox.send(text)
  }

  streamEnded(stream: Stream): void {
    this.#streams.delete(stream)
    this.#options.hub.release(stream.channel)
  }

  tick(now: number): void {
    this.writable(now)
    const state = this.#outbox.state(now)
    if (state === 'dead') return
    if (this.#closeBy !== undefined) {
      if (now > this.#closeBy) this.#outbox.kill()
      return
    }
    const { pingMs } = this.#options
    if (this.#inbox.isPaused) this.#aliveAt = now
    if (state === 'stuck') this.close('too-slow')
    else if (now - this.#aliveAt > pingMs * silentPings) this.close('silent')
    else if (now >= this.#pingAt) this.#ping(now, pingMs)
  }

  /** Refuses further frames, answers the pending writes, then closes with `draining`. */
  async drain(): Promise<void> {
    if (this.#isDraining) return
    this.#isDraining = true
    await this.#lines?.ended()
    this.close('draining')
  }

  close(reason: Closing): void {
    if (this.#closeBy !== undefined) return
    // A close frame may be lost behind the buffered frames, so a `bye` frame is sent before it.
    this.send(byeText(reason))
    this.#closeBy = performance.now() + closingMs
    this.#outbox.end(closings[reason].code, reason)
    this.#end(reason)
  }

  /** Called when the socket has closed. */
  closed(): void {
    this.#outbox.socketClosed()
    this.#closeBy ??= 0
    this.#end(undefined)
    this.#options.closed(this, undefined)
  }

  #end(reason: Closing | undefined): void {
    this.#inbox.close()
    for (const stream of [...this.#streams]) stream.stop()
    this.#unfollowed?.end()
    if (reason !== undefined) this.#options.closed(this, reason)
  }

  /** Runs the work of a frame that has an answer, within the socket's credit. */
  #answer(frame: Named & FrameName, size: number, work: () => Promise<void>): void {
    this.#credit ??= new Credit(this.#options.credit)
    const credit = this.#credit
    if (!credit.take(size)) {
      this.close('credit-exceeded')
      return
    }
    const { log } = this.#options
    const startedAt = performance.now()
    const refuse = (thrown: unknown) =>
      this.#refuse(toProblem(thrown), namesOf(frame), frame, startedAt)
    void work()
      .then(() => log.answered(frame, startedAt), refuse)
      .finally(() => credit.giveBack(size))
  }

  async #subscribe(frame: ClientFrames['sub']): Promise<void> {
    const { hub, limits } = this.#options
    this.#inbox.chargeExtra()
    // A client that found a gap sends `sub` again, with its own cursor.
    this.#streams.get(frame.c)?.stop()
    if (this.#streams.size >= limits.subscriptions)
      throw new Problem(
        'subscriptions-too-many',
        `The socket already follows ${limits.subscriptions} conversations, the maximum.`,
      )
    const stream = new Stream(hub.hold(this.#principal, frame.c), this.#outbox, this)
    this.#streams.add(stream)
    await stream.start(frame)
  }

  #write(
    frame: Frame & { c: string },
    size: number,
    isExclusive: boolean,
    work: () => Promise<string>,
  ) {
    this.#lines ??= new WriteLines()
    const lines = this.#lines
    this.#answer(frame, size, () =>
      lines.run(frame.c, isExclusive, work, (text) => this.send(text)),
    )
  }

  /** Takes an interim text. It is answered only if its conversation cannot be found. */
  #speak({ c, role, text }: ClientFrames['partial']): void {
    const followed = this.#streams.get(c)
    if (followed?.last !== undefined) {
      followed.channel.partials.update(role, text)
      return
    }
    const { hub, limits } = this.#options
    this.#unfollowed ??= new UnfollowedPartials(hub, this.#principal, limits.subscriptions)
    if (!this.#unfollowed.isOpen(c)) this.#inbox.chargeExtra()
    void this.#unfollowed
      .update(c, role, text)
      .catch((thrown) => this.#refuse(toProblem(thrown), { c }, { t: 'partial', c }))
  }

  #ping(now: number, pingMs: number): void {
    this.#pingAt = now + pingMs * (0.9 + Math.random() / 5)
    this.#outbox.ping()
    if (!this.#outbox.isFull) this.send(textOf({ t: 'ping', heads: newHeads(this.#streams) }))
  }

  #refuse(problem: Problem, named: Named, frame: FrameName = named, startedAt?: number): void {
    const isOurs = problem.status >= 500
    const requestId = isOurs ? this.#options.log.failed(problem, frame, startedAt) : undefined
    this.send(problemText(problem, named, requestId))
    if (this.#outbox.state(performance.now()) === 'stuck') this.close('too-slow')
  }
}
