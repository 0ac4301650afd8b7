/**
 * Refuses a line with unknown roles, because a conversation without those messages would be
 * incomplete.
 */
import { resemblance } from './resemblance.ts'
import { LineProblem } from './steps.ts'
import type { Utterance } from './utterances.ts'

/** The words that a format has for messages, their role, the person and the agent. */
export type Speakers = {
  readonly messages: string
  readonly role: string
  readonly human: string
  readonly ai: string
}

const rolesMax = 3

/**
 * Throws a `LineProblem` if no message has a known role. Throws one, too, if a message has an
 * unknown role and the person or the agent has no message: the unknown role may then mean the
 * person or the agent.
 */
export function checkRoles(
  originals: readonly unknown[],
  utterances: readonly Utterance[],
  { messages, role, human, ai }: Speakers,
  roleOf: (original: unknown) => unknown,
): void {
  const unknown = utterances.flatMap((one) =>
    one.by === 'other' && one.unknownRole !== undefined ? [one.unknownRole] : [],
  )
  if (unknown.length === 0) return
  const roles = originals.map(roleOf)
  if (unknown.length < originals.length && roles.includes(human) && roles.includes(ai)) return
  const names = [...new Set(unknown)]
    .slice(0, rolesMax)
    .map((name) => JSON.stringify(name.slice(0, 40)))
  const looks = resemblance(originals)
  const total = `${originals.length} ${messages}`
  throw new LineProblem(
    unknown.length === originals.length
      ? `none of ${total} has a known ${role} (${names.join(', ')})${looks}`
      : `${unknown.length} of ${total} have an unknown ${role} (${names.join(', ')})${looks}`,
  )
}
