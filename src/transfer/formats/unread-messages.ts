/** Refuses a line with unknown roles, rather than import a conversation without those messages. */
import { resemblance } from './resemblance.ts'
import { LineProblem } from './steps.ts'
import type { Utterance } from './utterances.ts'

/** The words of a format: `messages`, whose `role` is `user` or `assistant`. */
export type Speakers = {
  readonly messages: string
  readonly role: string
  readonly human: string
  readonly ai: string
}

const rolesMax = 3

/**
 * Throws a `LineProblem` if no message has a known role, or if a message has an unknown role and no
 * message is of the person, or none of the agent: the unknown role may then mean that one.
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
      : `${unknown.length} of ${total} have a ${role} that is not known (${names.join(', ')})${looks}`,
  )
}
