/** Lists all conversations of a service while other clients write. */
import type { Rest } from '../../client/client.ts'
import type { Conversation } from '../../conversation/wire/schemas.ts'

/**
 * How many times the list is read at most. A list that changes while it is read may hide
 * conversations.
 */
const listingsMax = 20

/**
 * Yields every conversation that exists when the listing begins, each once. The list is ordered by
 * activity, so a conversation that gets a turn can move past the page that is being read. Therefore
 * the list is read again until it shows no further conversation that existed at the beginning.
 */
export async function* everyConversation(rest: Rest): AsyncGenerator<Conversation> {
  const listedIds = new Set<string>()
  const begun = new Date().toISOString()
  for (let listing = 0; listing < listingsMax; listing += 1) {
    let missed = false
    let page: string | null | undefined
    while (page !== null) {
      const list = await rest.listConversations(page === undefined ? {} : { page })
      for (const conversation of list.conversations) {
        if (listedIds.has(conversation.id)) continue
        listedIds.add(conversation.id)
        missed ||= conversation.createdAt <= begun
        yield conversation
      }
      page = list.nextPage
    }
    if (listing > 0 && !missed) return
  }
}
