/** One branch of a tree of messages: an edited question or a second answer begins a branch. */
import type { Json } from '../json-value.ts'
import { LineProblem } from '../steps.ts'

export type Thread = {
  /** From the first message to the leaf. */
  readonly path: readonly Json[]
  /** Messages of other branches. */
  readonly leftOut: number
}

/** Walks from the leaf to the root; a parent that the tree lacks ends the walk. */
export function threadTo(
  leaf: string,
  nodes: ReadonlyMap<string, Json>,
  parentOf: (node: Json) => unknown,
): Thread {
  const path: Json[] = []
  const walked = new Set<string>()
  let id: unknown = leaf
  while (typeof id === 'string') {
    const node = nodes.get(id)
    if (node === undefined) break
    if (walked.has(id))
      throw new LineProblem(`is no conversation: message "${id.slice(0, 40)}" is its own ancestor`)
    walked.add(id)
    path.push(node)
    id = parentOf(node)
  }
  return { path: path.reverse(), leftOut: nodes.size - path.length }
}

/** Counts for the summary. */
export const otherBranches = (leftOut: number): ReadonlyMap<string, number> =>
  leftOut === 0 ? new Map() : new Map([['messages of other branches', leftOut]])
