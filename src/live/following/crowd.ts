/**
 * Crowd notices a rush of followers that join one conversation at once. They share their reads
 * of the database.
 */

/** More joins than this within a second are a crowd. */
const crowdedJoins = 16
const withinMs = 1000

export class Crowd {
  #since = 0
  #count = 0

  addJoin(): void {
    const now = performance.now()
    if (now - this.#since > withinMs) {
      this.#since = now
      this.#count = 0
    }
    this.#count += 1
  }

  /** Whether a crowd has joined in the last two seconds. */
  get isPresent(): boolean {
    return this.#count > crowdedJoins && performance.now() - this.#since < withinMs * 2
  }
}
