/** The wait of the first calls for the first connection. */
import { createDeferred } from '../../../src/mechanics/deferred.ts'
import { deadline } from '../../../src/mechanics/loop-delay.ts'

/**
 * Opening ends when the first connection is made or has failed, and at the latest after `ms`
 * milliseconds. Calls wait for its end, so that a program may use a KV as soon as it has opened it.
 */
export class Opening {
  readonly #end = createDeferred<void>()
  readonly #stop: () => void
  #isOver = false

  constructor(ms: number) {
    this.#stop = deadline(ms, () => this.end())
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Resolves at the end. Never rejects. */
  get over(): Promise<void> {
    return this.#end.promise
  }

  end(): void {
    if (this.#isOver) return
    this.#isOver = true
    this.#stop()
    this.#end.resolve()
  }
}
