/** The conversations of a service, while others write. */
import type { Rest } from '../../client/client.ts'
import type { Conversation } from '../../conversation/wire/schemas.ts'

/** A list that changes while it is read may hide some; it is read this often at most. */
const listingsMax = 20

/**
 * Every conversation that is there when the listing begins, once. The list is ordered by activity, so a
 * conversation that gets a turn can move past the page being read: the list is read again until it shows
 * no conversation that was there at the beginning.
 */
export async function* everyConversation(rest: Rest): AsyncGenerator<Conversation> {
  const seen = new Set<string>()
  const begun = new Date().toISOString()
  for (let listing = 0; listing < listingsMax; listing += 1) {
    let missed = false
    let page: string | null | undefined
    while (page !== null) {
      const list = await rest.listConversations(page === undefined ? {} : { page })
      for (const known of list.conversations) {
        if (seen.has(known.id)) continue
        seen.add(known.id)
        missed ||= known.createdAt <= begun
        yield known
      }
      page = list.nextPage
    }
    if (listing > 0 && !missed) return
  }
}
