/** Effects of a commit. */
import { expect, test } from 'bun:test'
import { type Commit, Effects } from '../../../src/conversation/writing/effects.ts'

const commit: Commit = {
  tenant: 'default',
  conversationId: 'c',
  from: 1,
  version: 2,
  messages: [],
  touched: 'messages',
}

test('the effects of a commit run in the order in which they were registered, each with the commit', () => {
  const effects = new Effects({ effectFailed: () => {} })
  const ran: [string, Commit][] = []
  for (const name of ['first', 'second', 'third'])
    effects.register({ name, committed: (one) => ran.push([name, one]) })
  effects.run(commit)
  expect(ran).toEqual([
    ['first', commit],
    ['second', commit],
    ['third', commit],
  ])
})

test('an effect that fails after a commit is logged by its name, and the effects after it still run', () => {
  const failed: unknown[][] = []
  const effects = new Effects({ effectFailed: (...failure) => failed.push(failure) })
  const error = new Error('full')
  let runs = 0
  effects.register({
    name: 'failing',
    committed() {
      throw error
    },
  })
  effects.register({
    name: 'next',
    committed() {
      runs += 1
    },
  })
  effects.run(commit)
  expect(failed).toEqual([['failing', 'c', error]])
  expect(runs).toBe(1)
})
