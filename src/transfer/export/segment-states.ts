/** What segments look like at a version, for the turns that complete them: bounded memory. */
import type { Segment } from '../../conversation/wire/schemas.ts'
import type { Rest } from '../rest.ts'

/** Far more than a conversation usually has; what does not fit is asked for when it is needed. */
const charactersMax = 4 * 1024 * 1024
const perEntry = 200

type State = { readonly userMessageId: string | null; readonly agentResponse: string | null }

export type SegmentStates = {
  /** Notes segments as they were read at a version. */
  learn(segments: readonly Segment[], version: number): void
  /** The segment as it was at this version or later. */
  since(segmentId: string, version: number): Promise<State>
  /** The newest version that any of them showed. */
  newest(): number
}

export function createSegmentStates(rest: Rest, conversationPath: string): SegmentStates {
  const known = new Map<string, State & { readonly version: number }>()
  let characters = 0
  let newest = 0

  const forget = (id: string) => {
    characters -= perEntry + (known.get(id)?.agentResponse?.length ?? 0)
    known.delete(id)
  }
  const note = ({ id, userMessageId, agentResponse }: Segment, version: number) => {
    if (known.has(id)) forget(id)
    known.set(id, { userMessageId, agentResponse, version })
    characters += perEntry + (agentResponse?.length ?? 0)
    for (const oldest of known.keys()) {
      if (characters <= charactersMax) break
      forget(oldest)
    }
  }

  return {
    learn(segments, version) {
      for (const segment of segments) note(segment, version)
    },
    async since(segmentId, version) {
      const state = known.get(segmentId)
      if (state !== undefined && state.version >= version) return state
      const segment = await rest.get<Segment>(`${conversationPath}/segments/${segmentId}`)
      note(segment, version)
      newest = Math.max(newest, segment.version)
      return segment
    },
    newest: () => newest,
  }
}
