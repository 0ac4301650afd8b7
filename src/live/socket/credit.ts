/** Credit counts the frames and bytes of one socket that wait for their answers. */

export type CreditBounds = { readonly frames: number; readonly bytes: number }

export class Credit {
  readonly #bounds: CreditBounds
  #frames = 0
  #bytes = 0

  constructor(bounds: CreditBounds) {
    this.#bounds = bounds
  }

  /** Counts a frame. Returns false if the frame would exceed the credit; one frame alone never does. */
  take(bytes: number): boolean {
    const isFull = this.#frames >= this.#bounds.frames
    if (isFull || (this.#frames > 0 && this.#bytes + bytes > this.#bounds.bytes)) return false
    this.#frames += 1
    this.#bytes += bytes
    return true
  }

  /** Ends the count of a frame that was answered. */
  giveBack(bytes: number): void {
    this.#frames -= 1
    this.#bytes -= bytes
  }
}
