/** One conversation, several, or all of them, as lines, in constant memory. */
import type { Conversation, ConversationList } from '../../conversation/wire/schemas.ts'
import type { Progress } from '../progress.ts'
import { Refused, type Rest } from '../rest.ts'
import { conversationLines, type Opened, openConversation } from './conversation-export.ts'
import type { Output } from './output.ts'

/** So many conversations are being asked for while one is written. */
const ahead = 4

/** A list that changes while it is read may hide some; it is read again this often at most. */
const listingsMax = 20

export type Exported = {
  readonly conversations: number
  readonly messages: number
  /** Conversations that were erased while the export ran, and are not in it. */
  readonly erased: readonly string[]
  /** Erased ones of which a part had left already; an `erased` line follows it. */
  readonly withdrawn: readonly string[]
  /** Ids that were asked for and are not there: the id and why. */
  readonly missing: readonly (readonly [string, string])[]
}

type Wanted = { readonly id: string; readonly known?: Conversation }
type Coming = { readonly id: string; readonly opened: Promise<Opened | Refused> }

/** `ids` undefined: every conversation that is there when the export begins. */
export async function exportConversations(
  rest: Rest,
  ids: readonly string[] | undefined,
  output: Output,
  progress: Progress,
): Promise<Exported> {
  let conversations = 0
  let messages = 0
  const erased: string[] = []
  const withdrawn: string[] = []
  const missing: [string, string][] = []
  const say = () =>
    progress.update(
      undefined,
      `${counted(conversations, 'conversation')}, ${counted(messages, 'message')}`,
    )

  const write = async ({ id, opened }: Coming) => {
    const found = await opened
    if (found instanceof Refused) {
      if (ids === undefined && found.code === 'conversation-erased') erased.push(id)
      else missing.push([id, found.message])
      return
    }
    const begin = output.position()
    const before = messages
    for await (const line of conversationLines(rest, found)) {
      if (line.type === 'erased') {
        erased.push(id)
        messages = before
        if (await output.cut(begin)) return
        withdrawn.push(id)
      }
      await output.write(`${JSON.stringify(line)}\n`)
      if (line.type === 'turn' || line.type === 'half') {
        messages += line.type === 'turn' ? line.messages.length : 1
        say()
      }
    }
    if (withdrawn.at(-1) !== id) conversations += 1
    say()
  }

  const coming: Coming[] = []
  const wanted = ids === undefined ? everyConversation(rest) : ids.map((id) => ({ id }))
  for await (const { id, known } of wanted as AsyncIterable<Wanted>) {
    coming.push({ id, opened: opening(rest, id, known) })
    const first = coming.length > ahead ? coming.shift() : undefined
    if (first !== undefined) await write(first)
  }
  for (const one of coming) await write(one)
  return { conversations, messages, erased, withdrawn, missing }
}

/** A refusal is an answer here: nobody waits for it yet. */
function opening(rest: Rest, id: string, known?: Conversation): Promise<Opened | Refused> {
  const opened = openConversation(rest, id, known).catch((error: unknown) => {
    if (error instanceof Refused) return error
    throw error
  })
  opened.catch(() => {})
  return opened
}

/**
 * The list is ordered by activity, so a conversation that gets a turn can move past the page being
 * read. The list is read again until it shows no conversation that was there at the beginning.
 */
async function* everyConversation(rest: Rest): AsyncGenerator<Wanted> {
  const seen = new Set<string>()
  const begun = new Date().toISOString()
  for (let listing = 0; listing < listingsMax; listing += 1) {
    let missed = false
    let page: string | null = ''
    while (page !== null) {
      const query = page === '' ? '' : `?page=${encodeURIComponent(page)}`
      const list: ConversationList = await rest.get(`/v1/conversations${query}`)
      for (const known of list.conversations) {
        if (seen.has(known.id)) continue
        seen.add(known.id)
        missed ||= known.createdAt <= begun
        yield { id: known.id, known }
      }
      page = list.nextPage
    }
    if (listing > 0 && !missed) return
  }
}

/** `1 message`, `2,000 messages`. */
export const counted = (n: number, what: string): string =>
  `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`
