/** The audio of segments: the message that can carry it may still have to be recorded. */

import type { Audio } from '../formats/steps.ts'
import type { Attachments } from './attachment.ts'
import type { Place, Tally } from './tally.ts'

export class SegmentAudio {
  readonly #attachments: Attachments
  readonly #tally: Tally
  /** Segments whose audio no message could carry yet, with the place of its line. */
  readonly #waiting = new Map<string, { urls: Audio['urls']; place: Place }>()

  constructor(attachments: Attachments, tally: Tally) {
    this.#attachments = attachments
    this.#tally = tally
  }

  async give(segmentId: string, urls: Audio['urls'], place: Place): Promise<void> {
    if (await this.#attachments.toSegment(segmentId, urls)) {
      this.#waiting.delete(segmentId)
      this.#tally.count('audio')
    } else this.#waiting.set(segmentId, { urls, place })
  }

  /** After the last message: gives what waits once more, by way of `attempt`, and reports what is left. */
  async close(
    attempt: (place: Place, giving: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    for (const [segmentId, { urls, place }] of this.#waiting)
      await attempt(place, () => this.give(segmentId, urls, place))
    for (const [segmentId, { place }] of this.#waiting)
      this.#tally.refused(
        place,
        'audio of segments',
        `no message can give segment ${segmentId} its audio`,
      )
  }
}
