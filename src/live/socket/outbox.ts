/**
 * Outbox sends the frames of one socket. It has no queue: the runtime buffers frames that the client
 * has not read. While that buffer is full, subscriptions wait at their version.
 */

/**
 * Bounds of the bytes that the client has not read. Above `softBytes` delivery waits, above
 * `hardBytes` the socket is closed.
 */
export type Watermarks = { readonly softBytes: number; readonly hardBytes: number }

/** Milliseconds for which frames may wait although the client reads none of them. */
const stalledMs = 60_000

export type OutboxState = 'open' | 'stuck' | 'dead'

/**
 * `waiting`: the runtime buffers the frame until the client reads. `dropped`: the frame is lost.
 */
export type WriteOutcome = 'sent' | 'waiting' | 'dropped'

/**
 * A runtime's socket extends Outbox. One object fewer for each socket saves memory accesses, which
 * are most of the cost of a frame to a thousand readers. The abstract methods must not throw.
 */
export abstract class Outbox {
  readonly #marks: Watermarks
  #isFull = false
  #isEnding = false
  #isDead = false
  /** The fewest bytes that waited since the buffer became full. A new low counts as reading. */
  #lowestBytes = 0
  #progressAt = 0

  constructor(marks: Watermarks) {
    this.#marks = marks
  }

  protected abstract write(text: string): WriteOutcome
  /** The number of bytes that wait in the runtime's buffer until the client reads. */
  protected abstract buffered(): number
  /** Closes the socket after the frames already sent. */
  protected abstract close(code: number, reason: string): void
  /** Cuts the connection at once. */
  protected abstract terminate(): void
  /** Sends a WebSocket ping, which the runtime of every client answers. */
  abstract ping(): void
  /** Stops reading until `resumeReading`. The client is slowed down by TCP. */
  abstract pauseReading(): void
  abstract resumeReading(): void
  /** Runs `work` and sends its frames in one write, if the runtime can. */
  abstract together(work: () => void): void

  /** Whether delivery must wait, or the socket is closing. */
  get isFull(): boolean {
    return this.#isFull || this.#isEnding
  }

  /** Sends a frame, also to a full socket: answers are not held back. */
  send(text: string): void {
    if (this.#isDead || this.#isEnding) return
    const outcome = this.write(text)
    if (outcome === 'sent') return
    // A frame after a dropped one would leave a gap, so the connection is cut.
    if (outcome === 'dropped') this.kill()
    else this.#wait()
  }

  #wait(): void {
    const buffered = this.buffered()
    if (this.#isFull || buffered <= this.#marks.softBytes) return
    this.#isFull = true
    this.#lowestBytes = buffered
    this.#progressAt = performance.now()
  }

  /**
   * Notes what the client has read since the last call. Returns true once when a full buffer has fallen to
   * half of `softBytes`.
   */
  hasRoomAgain(now: number): boolean {
    if (!this.#isFull) return false
    const buffered = this.buffered()
    if (buffered < this.#lowestBytes) {
      this.#lowestBytes = buffered
      this.#progressAt = now
    }
    if (buffered > this.#marks.softBytes / 2) return false
    this.#isFull = false
    return true
  }

  /** `stuck`: too many bytes wait, or the client has read none for a minute. */
  state(now: number): OutboxState {
    if (this.#isDead) return 'dead'
    if (!this.#isFull) return 'open'
    const isOver = this.buffered() > this.#marks.hardBytes
    return isOver || now - this.#progressAt > stalledMs ? 'stuck' : 'open'
  }

  /** Closes the socket. Later frames are not sent. */
  end(code: number, reason: string): void {
    this.#isEnding = true
    this.close(code, reason)
  }

  /** Cuts the connection. */
  kill(): void {
    this.#isDead = true
    this.terminate()
  }

  /** Called when the socket has closed. */
  socketClosed(): void {
    this.#isDead = true
  }
}
