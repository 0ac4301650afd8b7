/** The commits of a batch, as the effects receive them. */
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { localPrincipal } from '../../../src/conversation/wire/principal.ts'
import { commitsOf, type Recorded } from '../../../src/conversation/writing/recorded-commits.ts'
import { messagesOf, prepareTurn } from '../../../src/conversation/writing/turn.ts'

const body = { assistant: { responses: ['a'] } }

function recordedAt(conversation: string, version: number): Recorded {
  const turn = prepareTurn(localPrincipal, conversation, body, undefined)
  const position = { version, seq: version, head: version, urls: null, began: false }
  const pending = { turn, since: 0, resolve: () => {}, reject: () => {} }
  return { pending, position, messages: messagesOf(turn, position) }
}

test('each turn is in exactly one commit, and a commit has consecutive versions of one conversation', () => {
  const turns = fc.uniqueArray(
    fc.record({
      conversation: fc.constantFrom('a', 'b'),
      version: fc.integer({ min: 2, max: 30 }),
    }),
    { selector: ({ conversation, version }) => `${conversation}${version}` },
  )
  fc.assert(
    fc.property(turns, (recorded) => {
      const commits = commitsOf(
        recorded.map(({ conversation, version }) => recordedAt(conversation, version)),
      )
      const committed = commits.map(({ messages }) =>
        messages.map(({ conversationId, version }) => `${conversationId}${version}`),
      )
      expect(committed.flat().sort()).toEqual(
        recorded.map((one) => `${one.conversation}${one.version}`).sort(),
      )
      for (const { conversationId, from, version, messages } of commits) {
        expect(version - from).toBe(messages.length)
        messages.forEach((message, n) => {
          expect(message.version).toBe(from + 1 + n)
          expect(message.conversationId).toBe(conversationId)
        })
        // The version before a commit is in no commit, so no commit could be longer.
        expect(committed.flat()).not.toContain(`${conversationId}${from}`)
      }
    }),
  )
})
