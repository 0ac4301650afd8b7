/** Sentences that match a pattern and are clear all the same. Each has a reason; keep the list short. */

export type Exception = {
  readonly path: string
  /** The sentence as `bun run words` prints it. */
  readonly text: string
  readonly reason: string
}

export const exceptions: readonly Exception[] = []
