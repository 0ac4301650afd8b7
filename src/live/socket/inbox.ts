/**
 * Inbox takes the frames of one socket. It passes them to the session at once while the socket has
 * budget and the event loop has time. Otherwise the frames wait here in order, and the socket is not
 * read meanwhile.
 */

import type { LoopShare } from '../../mechanics/loop-share.ts'
import { costlyFactor, FrameBudget, weightOf } from './frame-budget.ts'
import type { Outbox } from './outbox.ts'

/** A received message: a text, or an object if it is binary, which is refused. */
export type ReceivedMessage = string | object

export type InboxOptions = {
  readonly framesPerSecond: number
  /** The share of the event loop in which the delayed frames of all sockets are handled. */
  readonly share: LoopShare
}

type Socket = Pick<Outbox, 'pauseReading' | 'resumeReading' | 'together'>

export type InboxOwner = {
  /** Handles one message. */
  take(sent: ReceivedMessage, weight: number): void
  /** Called once when the socket sent far more than its budget. */
  flooded(): void
}

/** The number of waiting frames of one socket that are handled before the next socket is served. */
const stepMax = 16

type WaitingFrame = { readonly sent: ReceivedMessage; readonly weight: number }

const sizeOf = (sent: ReceivedMessage): number =>
  typeof sent === 'string' ? sent.length : ArrayBuffer.isView(sent) ? sent.byteLength : 0

export class Inbox {
  readonly #options: InboxOptions
  readonly #owner: InboxOwner
  readonly #socket: Socket
  readonly #budget: FrameBudget
  // Created when the first frame must wait.
  #waiting: WaitingFrame[] | undefined
  #handled = 0
  #waitingWeight = 0
  #isPaused = false
  #isWorking = false
  #isClosed = false
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(options: InboxOptions, owner: InboxOwner, socket: Socket) {
    this.#options = options
    this.#owner = owner
    this.#socket = socket
    this.#budget = new FrameBudget(options.framesPerSecond, performance.now())
  }

  /** Whether reading is paused. Silence of the socket is then no sign of a lost peer. */
  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Takes a message that arrived at `now`, by `performance.now()`. */
  message(sent: ReceivedMessage, now: number): void {
    const weight = weightOf(sizeOf(sent))
    if (!this.#count(weight, now)) return
    const { share } = this.#options
    if (!this.#isPaused && !share.isSpent) {
      this.#owner.take(sent, weight)
      share.spend(performance.now() - now)
      return
    }
    this.#waiting ??= []
    this.#waiting.push({ sent, weight })
    this.#waitingWeight += weight
    this.#pause()
    this.#work(now)
  }

  /** Counts a WebSocket ping or pong. The runtime has answered a ping already. */
  control(now: number): void {
    if (this.#count(1, now) && this.#isPaused) this.#work(now)
  }

  /**
   * Charges a frame of this weight `costlyFactor` times, because it was refused or needs a look-up.
   */
  chargeExtra(weight = 1): void {
    this.#budget.spend(weight * (costlyFactor - 1), performance.now())
  }

  /** Drops the waiting frames and takes no more. */
  close(): void {
    this.#isClosed = true
    this.#waiting = undefined
    clearTimeout(this.#timer)
  }

  /** Spends the budget for a frame. Returns false if the frame is a flood or the inbox is closed. */
  #count(weight: number, now: number): boolean {
    if (this.#isClosed) return false
    if (!this.#budget.spend(weight, now)) {
      this.close()
      this.#owner.flooded()
      return false
    }
    if (this.#budget.isInDebt) this.#pause()
    return true
  }

  #pause(): void {
    if (this.#isPaused) return
    this.#isPaused = true
    this.#socket.pauseReading()
  }

  /** Handles the waiting frames, then resumes reading the socket. */
  #work(now: number): void {
    if (this.#isWorking || this.#timer !== undefined) return
    const isEmpty = this.#waiting === undefined
    const wait = isEmpty
      ? this.#budget.resumeMs(now)
      : this.#budget.handleMs(this.#waitingWeight, now)
    if (wait > 0) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined
        if (!this.#isClosed) this.#work(performance.now())
      }, Math.ceil(wait))
    } else if (isEmpty) {
      this.#isPaused = false
      this.#socket.resumeReading()
    } else {
      this.#isWorking = true
      this.#options.share.run(() => this.#step())
    }
  }

  #step(): boolean {
    this.#socket.together(() => this.#handle())
    if (this.#next !== undefined && this.#mayHandle()) return true
    if (this.#next === undefined) {
      this.#waiting = undefined
      this.#handled = 0
      this.#waitingWeight = 0
    }
    this.#isWorking = false
    if (!this.#isClosed) this.#work(performance.now())
    return false
  }

  #handle(): void {
    for (let count = 0; count < stepMax && this.#mayHandle(); count += 1) {
      const next = this.#next
      if (next === undefined) return
      this.#handled += 1
      this.#waitingWeight -= next.weight
      this.#owner.take(next.sent, next.weight)
    }
  }

  get #next(): WaitingFrame | undefined {
    return this.#waiting?.[this.#handled]
  }

  #mayHandle(): boolean {
    return this.#budget.handleMs(this.#waitingWeight, performance.now()) === 0
  }
}
