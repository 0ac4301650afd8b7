import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import type { History, NewConversation } from '../../src/conversation/wire/schemas.ts'
import { type Node, startNode } from '../support/servers/node.ts'
import { testDatabaseUrl } from '../support/servers/postgres.ts'
import {
  dialogueFiles,
  dialoguesAreHere,
  readDialogues,
  sentences,
  turnsOf,
} from '../support/transfer/dialogues.ts'
import { call, must, recordTurn } from '../support/writing/client.ts'
import { seeded } from '../support/writing/writer.ts'

describe('dialogues over REST', () => {
  let node: Node
  beforeAll(async () => {
    node = await startNode({ DATABASE_URL: await testDatabaseUrl() })
  }, 60_000)
  afterAll(async () => {
    await node[Symbol.asyncDispose]()
  })

  const create = async (body: NewConversation) =>
    must(await call<{ id: string }>(node.url, 'POST', '/v1/conversations', body)).id
  const history = async (id: string) =>
    must(await call<History>(node.url, 'GET', `/v1/conversations/${id}/history`)).messages

  /** Runs a task for every item, 16 at a time. */
  const each = async <T>(items: readonly T[], task: (item: T) => Promise<void>) => {
    const rest = [...items]
    const work = async () => {
      for (let item = rest.pop(); item !== undefined; item = rest.pop()) await task(item)
    }
    await Promise.all(Array.from({ length: 16 }, work))
  }

  test.skipIf(!dialoguesAreHere)(
    'a history returns each of 712 real dialogues word for word, in order',
    async () => {
      const dialogues = dialogueFiles.flatMap(readDialogues)
      expect(dialogues).toHaveLength(712)
      await each(dialogues, async (dialogue) => {
        const id = await create({ externalId: dialogue.id })
        // In every second dialogue, each sentence of an answer is a part.
        const inSentences = dialogues.indexOf(dialogue) % 2 === 0
        const turns = turnsOf(dialogue, inSentences ? sentences : (text) => [text])
        for (const [n, turn] of turns.entries()) must(await recordTurn(node.url, id, turn, `${n}`))
        const messages = await history(id)
        expect(messages.map(({ role, parts }) => ({ role, parts }))).toEqual(
          turns.flatMap(({ user, assistant }) => [
            ...(user === undefined ? [] : [{ role: 'human' as const, parts: [user.text] }]),
            { role: 'ai' as const, parts: assistant.responses },
          ]),
        )
        // A last utterance of the user without an answer is not recorded as a turn.
        const utterances = dialogue.turns.slice(0, messages.length).map(({ text }) => text)
        expect(messages.map(({ parts }) => parts.join(''))).toEqual(utterances)
        expect(
          messages.filter(({ role }) => role === 'ai').map((one) => one.memoryRetrievalTrace),
        ).toEqual(turns.map(({ assistant }) => assistant.memoryRetrievalTrace ?? null))
      })
    },
    120_000,
  )

  test('a history returns answers of 1 to 64 parts with the same parts', async () => {
    const random = seeded(3)
    const words = ['yes', ' no ', '好的', '😀', '\n', '"quoted"', '{}', 'NULL', '\\', 'a,b', "it's"]
    const id = await create({})
    const turns = Array.from({ length: 64 }, (_, n) => ({
      user: { text: `question ${n}` },
      assistant: {
        responses: Array.from(
          { length: n + 1 },
          (__, part) =>
            Array.from(
              { length: 1 + Math.floor(random() * 5) },
              () => words[Math.floor(random() * words.length)],
            ).join('') + part,
        ),
      },
    }))
    for (const turn of turns) must(await recordTurn(node.url, id, turn))
    const messages = await history(id)
    expect(messages.filter(({ role }) => role === 'ai').map(({ parts }) => parts)).toEqual(
      turns.map(({ assistant }) => assistant.responses),
    )
    expect(messages.every(({ parts, content }) => content === parts.join('[SPLIT]'))).toBe(true)
  }, 30_000)
})
