/** Makes the conversation of an import, or finds the one that is there. */
import { isDeepStrictEqual } from 'node:util'
import type { Rest } from '../../client/client.ts'
import type { Conversation, NewConversation } from '../../conversation/wire/schemas.ts'
import type { WholeLine } from '../formats/steps.ts'
import { type Refusal, refusalOf, withNovelty } from '../service-client.ts'
import { descriptionOf, findConversation, foreignMessageSeq, holdsExactly } from './stored-turns.ts'
import { probeTurns, turnsToProbe } from './turn-probe.ts'

export type Creation =
  | { readonly outcome: 'new' }
  | { readonly outcome: 'found' }
  /** An earlier version imported the line, whole, under an id of its own. */
  | { readonly outcome: 'earlier' }
  | { readonly outcome: 'refused'; readonly what: string; readonly reason: string }

export type CreationOptions = {
  readonly rest: Rest
  /** Gets a sentence that the user should know, and that is no failure. */
  readonly note: (text: string) => void
}

type Body = NewConversation & { readonly id: string }

/** Nothing is made of a line with a turn that the service refuses. Throws the problem of a service that is away. */
export async function createOrFind(
  body: Body,
  whole: WholeLine | undefined,
  { rest, note }: CreationOptions,
): Promise<Creation> {
  try {
    if (whole?.earlier !== undefined) {
      const found = await findEarlier(rest, body, whole.earlier)
      if (found === 'whole') return { outcome: 'earlier' }
      if (found === 'other')
        note(
          `conversation ${whole.earlier.conversationId}, which an earlier version imported from a line of this number, holds other turns or not all: the line is conversation ${body.id}`,
        )
    }
    if (whole !== undefined && (await isAbsent(rest, body.id, whole))) {
      const probed = await probeTurns(rest, whole.turns)
      if (probed !== undefined)
        return {
          outcome: 'refused',
          what: `turns: ${probed.code}`,
          reason: `conversation ${body.id} was not created, because a turn of it would be refused: ${probed.message}`,
        }
    }
    const { result, isNew } = await withNovelty((options) => rest.createConversation(body, options))
    return isNew ? { outcome: 'new' } : await joined(rest, body, whole, result)
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    return await refused(rest, body, whole, refusal)
  }
}

/** Asked only where it matters: most lines have no turn that a service might refuse. */
async function isAbsent(rest: Rest, id: string, { turns }: WholeLine): Promise<boolean> {
  return turnsToProbe(turns).length > 0 && (await findConversation(rest, id)) === undefined
}

async function findEarlier(
  rest: Rest,
  { metadata }: Body,
  { conversationId, turns }: NonNullable<WholeLine['earlier']>,
): Promise<'none' | 'whole' | 'other'> {
  const found = await findConversation(rest, conversationId)
  if (found === undefined) return 'none'
  const isSame = isDeepStrictEqual(found.metadata, metadata ?? null)
  return isSame && (await holdsExactly(rest, conversationId, turns)) ? 'whole' : 'other'
}

/** Turns are added only to a conversation that holds nothing but turns of the same line. */
async function joined(
  rest: Rest,
  { id }: Body,
  whole: WholeLine | undefined,
  { lastSeq }: Conversation,
): Promise<Creation> {
  if (whole === undefined) return { outcome: 'found' }
  const seq = await foreignMessageSeq(rest, id, whole.turns, lastSeq)
  if (seq === undefined) return { outcome: 'found' }
  return {
    outcome: 'refused',
    what: 'conversations: they hold other messages',
    reason: `conversation ${id} is there, and its message ${seq} is not of this line: nothing was added to it. ${whole.advice}`,
  }
}

async function refused(
  rest: Rest,
  body: Body,
  whole: WholeLine | undefined,
  { code, message }: Refusal,
): Promise<Creation> {
  const { id, externalId = null, title = null, metadata = null } = body
  const because = (reason: string): Creation => ({
    outcome: 'refused',
    what: `conversations: ${code}`,
    reason: `conversation ${id}: ${reason}`,
  })
  if (code === 'conversation-taken') {
    const found = await rest.getConversation(id)
    // An id that was derived from source and name proves both, and an import gives no title.
    const isDerived = whole !== undefined && !whole.hasOwnId
    const shown = isDerived ? { ...found, externalId, title } : found
    if (isDeepStrictEqual(descriptionOf(shown), [externalId, title, metadata]))
      return joined(rest, body, whole, found)
    const advice = whole === undefined ? '' : ` ${whole.advice}`
    return because(
      `it is there with another external id, title or metadata, and nothing was added to it.${advice}`,
    )
  }
  if (code !== 'external-id-taken' || externalId === null) return because(message)
  const { conversations } = await rest.listConversations({ externalId })
  const holder = conversations[0]?.id
  const isOfFileName = holder !== undefined && holder === whole?.idByFileName
  const goOn = isOfFileName
    ? ` An earlier import of a file of this name made that one: \`--source ${whole?.externalPrefix}\` goes on with it.`
    : ''
  return because(
    `its external id ${JSON.stringify(externalId)} is that of conversation ${holder}.${goOn} ${whole?.advice ?? ''}`.trimEnd(),
  )
}
