/** Ways to get the queue of the group commit wrong. Each must be caught by the model, or the model proves nothing. */
import type { Unfinished } from '../../../src/conversation/writing/pending-turn.ts'
import { type Batch, TurnQueue } from '../../../src/conversation/writing/turn-queue.ts'
import type { Mistake, ModelTurn } from './queue-model.ts'

type Left = Unfinished<ModelTurn>

class Right extends TurnQueue<ModelTurn> {}

export const mistakes: Readonly<
  Record<string, { readonly rules: readonly string[]; readonly make: Mistake }>
> = {
  'a batch may have one turn too many': {
    rules: ['a batch keeps its bound of turns'],
    make: (given) => {
      const { bounds } = given
      const batchTurnsMax = bounds.batchTurnsMax + 1
      return new Right({ ...given, bounds: { ...bounds, batchTurnsMax } })
    },
  },

  'bytes of a batch are not counted': {
    rules: ['a batch keeps its bound of bytes'],
    make: (given) =>
      new Right({ ...given, bounds: { ...given.bounds, batchBytesMax: Number.MAX_VALUE } }),
  },

  'one more lane is taken than there is': {
    rules: ['ready turns are looked for again', 'batches keep to their lanes'],
    make: (given) =>
      new Right({ ...given, bounds: { ...given.bounds, lanes: given.bounds.lanes + 1 } }),
  },

  'bytes that wait are not bounded': {
    rules: ['a turn is refused where the bounds are reached'],
    make: (given) =>
      new Right({ ...given, bounds: { ...given.bounds, waitingBytesMax: Number.MAX_VALUE } }),
  },

  'turns wait without end': {
    rules: ['turns that waited too long are refused once their conversation is released'],
    make: (given) => new Right({ ...given, waitMs: Number.MAX_VALUE }),
  },

  'turns are refused too early': {
    rules: ['a turn is refused only where it waited too long'],
    make: (given) => new Right({ ...given, waitMs: given.waitMs / 2 }),
  },

  'a batch frees its lane twice': {
    rules: [
      'turns that are ready go where no batch is in flight',
      'ready turns are looked for again',
      'a batch frees its lane once',
    ],
    make: (given) =>
      new (class extends Right {
        override answered(batch: Batch<ModelTurn>): boolean {
          batch.isAnswered = false
          return super.answered(batch)
        }
      })(given),
  },

  'a locked conversation goes into the next batch at once': {
    rules: [
      'ready turns are looked for again',
      'a locked conversation waits for a lane of its own',
    ],
    make: (given) =>
      new (class extends Right {
        override finished(batch: Batch<ModelTurn>, left: Left, now: number): void {
          super.finished(batch, left, now)
          this.lookAgain()
        }
      })(given),
  },

  'locked turns are forgotten': {
    rules: ['locked turns are looked for again'],
    make: (given) =>
      new (class extends Right {
        override finished(batch: Batch<ModelTurn>, { unsettled }: Left, now: number): void {
          super.finished(batch, { locked: [], unsettled }, now)
        }
      })(given),
  },

  'locked turns go behind those that came later': {
    rules: ['turns of a conversation go in their order'],
    make: (given) =>
      new (class extends Right {
        override finished(batch: Batch<ModelTurn>, { locked, unsettled }: Left, now: number) {
          super.finished(batch, { locked: locked.toReversed(), unsettled }, now)
        }
      })(given),
  },

  'a conversation goes on while a turn of it is unsettled': {
    rules: ['a conversation is in at most one batch'],
    make: (given) =>
      new (class extends Right {
        override finished(batch: Batch<ModelTurn>, { locked }: Left, now: number): void {
          super.finished(batch, { locked, unsettled: [] }, now)
        }
      })(given),
  },

  'a conversation stays behind after its turns are settled': {
    rules: [
      'no turn waits for ever',
      'ready turns are looked for again',
      'turns that are ready go where no batch is in flight',
    ],
    make: (given) =>
      new (class extends Right {
        override settled(): void {}
      })(given),
  },

  'twins of a key go together': {
    rules: ['twins go in different batches'],
    make: (given) =>
      new (class extends Right {
        override add(turn: ModelTurn): boolean {
          const { bytes, row } = turn.turn
          return super.add({ ...turn, turn: { bytes, row: { ...row, key: null } } })
        }
      })(given),
  },

  'nobody waits for a conversation that is locked': {
    rules: ['locked turns are looked for again', 'no turn waits for ever'],
    make: (given) =>
      new (class extends Right {
        override lookAgain(): void {}
        override next(now: number): Batch<ModelTurn> | undefined {
          const batch = super.next(now)
          return batch?.wait === true ? undefined : batch
        }
      })(given),
  },
}
