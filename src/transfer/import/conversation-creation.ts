/** Creates the conversation of an import, or finds the one that exists. */
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
  /** An earlier version of Turnlog imported the whole line under another conversation id. */
  | { readonly outcome: 'earlier' }
  | { readonly outcome: 'refused'; readonly what: string; readonly reason: string }

export type CreationOptions = {
  readonly rest: Rest
  /** Called with a sentence that the user should read and that reports no failure. */
  readonly note: (text: string) => void
}

type Body = NewConversation & { readonly id: string }

/**
 * Creates or finds the conversation `body`. It creates nothing if the service refuses a turn of the
 * line. It throws the problem if the service cannot be reached.
 */
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
          `an earlier version imported conversation ${whole.earlier.conversationId} from this line number, but its turns differ from this line: the line is imported as conversation ${body.id}`,
        )
    }
    if (whole !== undefined && (await isAbsent(rest, body.id, whole))) {
      const probed = await probeTurns(rest, whole.turns)
      if (probed !== undefined)
        return {
          outcome: 'refused',
          what: `turns: ${probed.code}`,
          reason: `conversation ${body.id} was not created, because the service refuses one of its turns: ${probed.message}`,
        }
    }
    const { result, isNew } = await withNovelty((options) => rest.createConversation(body, options))
    return isNew ? { outcome: 'new' } : await foundOrForeign(rest, body, whole, result)
  } catch (error) {
    const refusal = refusalOf(error)
    if (refusal === undefined) throw error
    return await explainRefusal(rest, body, whole, refusal)
  }
}

/** Asks the service only if the line has turns to probe. Most lines have none. */
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

/** Accepts an existing conversation only if it holds no other turns than those of the same line. */
async function foundOrForeign(
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
    reason: `conversation ${id} exists, and its message ${seq} is not from this line: nothing was added to it. ${whole.advice}`,
  }
}

/** Explains why the service refused to create a conversation, with the advice for the user. */
async function explainRefusal(
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
    // A derived id proves source and name, so the external id is the same. An import sets no title.
    const isDerived = whole !== undefined && !whole.hasOwnId
    const compared = isDerived ? { ...found, externalId, title } : found
    if (isDeepStrictEqual(descriptionOf(compared), [externalId, title, metadata]))
      return foundOrForeign(rest, body, whole, found)
    const advice = whole === undefined ? '' : ` ${whole.advice}`
    return because(
      `it exists with another external id, title or metadata: nothing was added to it.${advice}`,
    )
  }
  if (code !== 'external-id-taken' || externalId === null) return because(message)
  const { conversations } = await rest.listConversations({ externalId })
  const holder = conversations[0]?.id
  const isOfFileName = holder !== undefined && holder === whole?.idByFileName
  const continueAdvice = isOfFileName
    ? ` An earlier import of a file of this name made that one: \`--source ${whole?.externalPrefix}\` continues it.`
    : ''
  return because(
    `its external id ${JSON.stringify(externalId)} belongs to conversation ${holder}.${continueAdvice} ${whole?.advice ?? ''}`.trimEnd(),
  )
}
