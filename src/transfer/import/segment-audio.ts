/** The audio of segments: the message that can carry it may still have to be recorded. */

import type { Audio } from '../formats/steps.ts'
import type { Attachments } from './attachment.ts'
import type { SourceLine, Tally } from './tally.ts'

export class SegmentAudio {
  readonly #attachments: Attachments
  readonly #tally: Tally
  /** Segments whose audio no message could carry yet, with the place of its line. */
  readonly #waiting = new Map<string, { urls: Audio['urls']; sourceLine: SourceLine }>()

  constructor(attachments: Attachments, tally: Tally) {
    this.#attachments = attachments
    this.#tally = tally
  }

  async give(segmentId: string, urls: Audio['urls'], sourceLine: SourceLine): Promise<void> {
    if (await this.#attachments.toSegment(segmentId, urls)) {
      this.#waiting.delete(segmentId)
      this.#tally.count('audio')
    } else this.#waiting.set(segmentId, { urls, sourceLine })
  }

  /** After the last message: gives what waits once more, by way of `attempt`, and reports what is left. */
  async close(
    attempt: (sourceLine: SourceLine, giving: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    for (const [segmentId, { urls, sourceLine }] of this.#waiting)
      await attempt(sourceLine, () => this.give(segmentId, urls, sourceLine))
    for (const [segmentId, { sourceLine }] of this.#waiting)
      this.#tally.reportRefusal(
        sourceLine,
        'audio of segments',
        `no message can give segment ${segmentId} its audio`,
      )
  }
}
