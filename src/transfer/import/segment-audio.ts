/**
 * Gives segments their audio. The audio of a segment waits until a message that can carry it is
 * recorded.
 */

import type { Audio } from '../formats/steps.ts'
import type { Attachments } from './attachment.ts'
import type { SourceLine, Tally } from './tally.ts'

export class SegmentAudio {
  readonly #attachments: Attachments
  readonly #tally: Tally
  /** Segments whose audio no message could carry yet, with the line that it came from. */
  readonly #waiting = new Map<string, { urls: Audio['urls']; sourceLine: SourceLine }>()

  constructor(attachments: Attachments, tally: Tally) {
    this.#attachments = attachments
    this.#tally = tally
  }

  /** Attaches the audio of a segment, or keeps it until `close`. */
  async give(segmentId: string, urls: Audio['urls'], sourceLine: SourceLine): Promise<void> {
    if (await this.#attachments.toSegment(segmentId, urls)) {
      this.#waiting.delete(segmentId)
      this.#tally.count('audio')
    } else this.#waiting.set(segmentId, { urls, sourceLine })
  }

  /**
   * Called after the last message. It tries the waiting audio once more through `attempt`, and
   * reports the audio that no message can carry.
   */
  async close(
    attempt: (sourceLine: SourceLine, giving: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    for (const [segmentId, { urls, sourceLine }] of this.#waiting)
      await attempt(sourceLine, () => this.give(segmentId, urls, sourceLine))
    for (const [segmentId, { sourceLine }] of this.#waiting)
      this.#tally.reportRefusal(
        sourceLine,
        'audio of segments',
        `the audio of segment ${segmentId} was not attached: no imported AI message has both audio and a segment`,
      )
  }
}
