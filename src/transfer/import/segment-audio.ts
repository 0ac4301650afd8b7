/** The audio of segments, which comes by way of messages: perhaps of one that is still to be recorded. */

import type { Audio } from '../formats/steps.ts'
import type { Attachments } from './attachment.ts'
import type { Place, Tally } from './tally.ts'

export type SegmentAudio = {
  give(segmentId: string, urls: Audio['urls'], place: Place): Promise<void>
  /** After the last message: once more, each by way of `attempt`; what is left is told. */
  close(attempt: (place: Place, giving: () => Promise<void>) => Promise<void>): Promise<void>
}

export function createSegmentAudio(attachments: Attachments, tally: Tally): SegmentAudio {
  /** Segments whose audio no message could carry yet, and where that was said. */
  const waiting = new Map<string, { urls: Audio['urls']; place: Place }>()

  const give: SegmentAudio['give'] = async (segmentId, urls, place) => {
    if (await attachments.toSegment(segmentId, urls)) {
      waiting.delete(segmentId)
      tally.count('audio')
    } else waiting.set(segmentId, { urls, place })
  }

  return {
    give,
    async close(attempt) {
      for (const [segmentId, { urls, place }] of waiting)
        await attempt(place, () => give(segmentId, urls, place))
      for (const [segmentId, { place }] of waiting)
        tally.refused(
          place,
          'audio of segments',
          `no message can give segment ${segmentId} its audio`,
        )
    },
  }
}
