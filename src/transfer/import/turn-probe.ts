/**
 * Asks the service whether it accepts the largest turns of a line, before the import writes any of
 * the line.
 */
import { Buffer } from 'node:buffer'
import type { Rest } from '../../client/client.ts'
import { newId } from '../../conversation/wire/ids.ts'
import type { NewTurn } from '../../conversation/wire/schemas.ts'
import { type Refusal, refusalOf } from '../service-client.ts'

/** Sizes up to which a turn needs no probe, because the default limits of a service are higher. */
const safeSizes = { bytes: 4096, parts: 32, depth: 8 } as const

/**
 * Resolves with the first refusal of a turn because of its content, or with undefined if there is
 * none. Each turn is sent to a conversation that does not exist: the service checks the body first
 * and records nothing.
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

/**
 * Returns the turns to probe: by each measure that the service has a limit for, the largest turn.
 */
export function turnsToProbe(turns: readonly NewTurn[]): NewTurn[] {
  const measured = turns.map((turn) => ({ turn, sizes: sizesOf(turn) }))
  const candidates = measured.filter(
    ({ sizes: [bytes = 0, parts = 0, depth = 0] }) =>
      bytes > safeSizes.bytes || parts > safeSizes.parts || depth > safeSizes.depth,
  )
  const [first] = candidates
  const measures = first === undefined ? [] : [...first.sizes.keys()]
  const largest = measures.flatMap((measure) =>
    candidates
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
