/** The format `dialogues`, and the recognition of formats. */
import { describe, expect, test } from 'bun:test'
import { formatNamed, formatOf } from '../../../src/transfer/formats/formats.ts'
import { sentences } from '../../../src/transfer/formats/sentences.ts'
import { LineProblem } from '../../../src/transfer/formats/steps.ts'
import { parseSourced } from '../../../src/transfer/lines/sourced-json.ts'
import { ai, human, read } from '../../support/transfer/read-lines.ts'
import { contextOf } from '../../support/transfer/transfer.ts'

describe('dialogues', () => {
  const line = {
    id: '1_00000',
    services: ['Restaurants_2'],
    turns: [
      { speaker: 'user', text: 'A table for two.' },
      { speaker: 'system', text: 'Where? When?', retrieval: [{ service: 'R', results: 1 }] },
      { speaker: 'user', text: 'Bye' },
    ],
  }

  test('dialogues become turns, with retrieval as trace and services and unanswered messages as metadata', () => {
    const { create, turns, relocated } = read(line, sentences)
    expect(create).toMatchObject({
      externalId: 'f.jsonl/1_00000',
      metadata: {
        services: ['Restaurants_2'],
        dialogues: { after: [{ speaker: 'user', text: 'Bye' }] },
      },
    })
    expect(turns).toEqual([
      {
        user: { text: 'A table for two.' },
        assistant: {
          responses: ['Where? ', 'When?'],
          memoryRetrievalTrace: { lookups: [{ service: 'R', results: 1 }] },
        },
      },
    ])
    expect(relocated).toEqual({
      '`services` of dialogues -> conversation metadata': 1,
      '`retrieval` -> memoryRetrievalTrace.lookups': 1,
      'user messages without an answer -> conversation metadata.dialogues.after': 1,
    })
  })

  test('unknown speakers and members of a dialogue are kept in the metadata', () => {
    const { create, turns } = read({
      turns: [
        { speaker: 'narrator', text: 'Night.' },
        { speaker: 'system', text: 'Hello?', mood: 'low', dialogues: 1 },
        { speaker: 'user', text: 'Hi', retrieval: [] },
        { speaker: 'wizard', text: '…' },
        { speaker: 'system', text: 'Ah.' },
      ],
      dialogues: 'x',
      topic: 'y',
    })
    expect(create.metadata).toEqual({
      dialogues: {
        members: { dialogues: 'x', topic: 'y' },
        before: [{ speaker: 'narrator', text: 'Night.' }],
      },
    })
    expect(turns).toEqual([
      {
        assistant: ai(['Hello?'], { dialogues: { members: { mood: 'low', dialogues: 1 } } }),
      },
      {
        user: human('Hi', { retrieval: [] }),
        assistant: ai(['Ah.'], { dialogues: { before: [{ speaker: 'wizard', text: '…' }] } }),
      },
    ])
  })

  test.each([
    [{ turns: [{ speaker: 'user' }] }, 'turns/0 has no `text`'],
    [{ turns: [{ text: 'a' }] }, 'turns/0 has no `speaker`'],
    [{ turns: [1] }, 'turns/0 is not an object'],
  ])('the dialogue %p is refused: %s', (wrong, reason) => {
    expect(() => read(wrong)).toThrow(reason)
  })
})

describe('the format of a line', () => {
  test.each([
    [{ type: 'conversation' }, 'turnlog'],
    [{ type: 'turn', conversationId: 1 }, 'turnlog'],
    [{ messages: [] }, 'openai'],
    [{ body: { messages: [] } }, 'openai'],
    [{ input: 'a', output: [] }, 'openai'],
    [{ turns: [] }, 'dialogues'],
    [{ input: 'a', output: 'b', instruction: 'c' }, undefined],
    [{ type: 'other' }, undefined],
    [{ prompt: 'a', completion: 'b' }, undefined],
    [[], undefined],
    [null, undefined],
    ['messages', undefined],
  ])('the line %p has the format %p', (line, name) => {
    expect(formatOf(line)?.name).toBe(name as 'turnlog')
  })

  test.each(['turnlog', 'openai', 'dialogues'])(
    'the format %s refuses lines of other formats',
    (name) => {
      for (const line of [{}, [], 1, null, 'x', { type: 'turn' }, { messages: 1 }, { turns: 1 }])
        expect(() =>
          formatNamed(name)?.read(line, contextOf(parseSourced(JSON.stringify(line)))),
        ).toThrow(LineProblem)
    },
  )
})
