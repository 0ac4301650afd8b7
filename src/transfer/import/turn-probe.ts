/** Asks the service whether it would accept the largest turns of a line, before the import writes any of it. */
import { Buffer } from 'node:buffer'
import type { Rest } from '../../client/client.ts'
import { newId } from '../../conversation/wire/ids.ts'
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import { type Refusal, refusalOf } from '../service-client.ts'

/** Turns within all of these need no probe: the default limits of a service are higher. */
const sure = { bytes: 4096, parts: 32, depth: 8 } as const

/**
 * Why the service refuses a turn for what is in it; undefined where it refuses none. A turn is sent to
 * a conversation that does not exist: the service judges the body first, and records nothing.
 */
export async function probeTurns(
  rest: Rest,
  turns: readonly NewTurn[],
): Promise<Refusal | undefined> {
  for (const turn of turnsToProbe(turns)) {
    try {
      await rest.recordTurn(newId(), turn)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      if (refusal.code !== 'conversation-not-found') return refusal
    }
  }
  return undefined
}

/** The turn that is largest by each measure that the service has a limit for. */
export function turnsToProbe(turns: readonly NewTurn[]): NewTurn[] {
  const measured = turns.map((turn) => ({ turn, sizes: sizesOf(turn) }))
  const doubtful = measured.filter(
    ({ sizes: [bytes = 0, parts = 0, depth = 0] }) =>
      bytes > sure.bytes || parts > sure.parts || depth > sure.depth,
  )
  const [first] = doubtful
  const measures = first === undefined ? [] : [...first.sizes.keys()]
  const largest = measures.flatMap((measure) =>
    doubtful
      .toSorted((one, other) => (other.sizes[measure] ?? 0) - (one.sizes[measure] ?? 0))
      .slice(0, 1),
  )
  return [...new Set(largest.map(({ turn }) => turn))]
}

function sizesOf(turn: NewTurn): number[] {
  const { user, assistant } = turn
  const jsons = [user?.metadata, assistant.metadata, assistant.memoryRetrievalTrace]
  return [
    bytesOf(turn),
    assistant.responses.length,
    Math.max(...jsons.map(depthOf)),
    ...jsons.map(bytesOf),
  ]
}

const bytesOf = (value: unknown) => Buffer.byteLength(JSON.stringify(value) ?? '')

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Object.values(value).reduce<number>((max, item) => Math.max(max, depthOf(item)), 0)
}
