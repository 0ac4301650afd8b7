/** Ways to get the queue of the group commit wrong. Each must be caught by the model, or the model proves nothing. */
import type { Unfinished } from '../../../src/conversation/writing/pending-turn.ts'
import { type Batch, TurnQueue } from '../../../src/conversation/writing/turn-queue.ts'
import type { Mistake, ModelTurn } from './queue-model.ts'

type UnfinishedTurns = Unfinished<ModelTurn>

class CorrectQueue extends TurnQueue<ModelTurn> {}

export const mistakes: Readonly<
  Record<string, { readonly rules: readonly string[]; readonly make: Mistake }>
> = {
  'a batch may have one turn too many': {
    rules: ['a batch keeps its bound of turns'],
    make: (options) => {
      const { bounds } = options
      const batchTurnsMax = bounds.batchTurnsMax + 1
      return new CorrectQueue({ ...options, bounds: { ...bounds, batchTurnsMax } })
    },
  },

  'bytes of a batch are not counted': {
    rules: ['a batch keeps its bound of bytes'],
    make: (options) =>
      new CorrectQueue({
        ...options,
        bounds: { ...options.bounds, batchBytesMax: Number.MAX_VALUE },
      }),
  },

  'one more lane is taken than there is': {
    rules: ['ready turns are looked for again', 'batches keep to their lanes'],
    make: (options) =>
      new CorrectQueue({
        ...options,
        bounds: { ...options.bounds, lanes: options.bounds.lanes + 1 },
      }),
  },

  'bytes that wait are not bounded': {
    rules: ['a turn is refused where the bounds are reached'],
    make: (options) =>
      new CorrectQueue({
        ...options,
        bounds: { ...options.bounds, waitingBytesMax: Number.MAX_VALUE },
      }),
  },

  'turns wait without end': {
    rules: ['turns that waited too long are refused once their conversation is released'],
    make: (options) => new CorrectQueue({ ...options, waitMs: Number.MAX_VALUE }),
  },

  'turns are refused too early': {
    rules: ['a turn is refused only where it waited too long'],
    make: (options) => new CorrectQueue({ ...options, waitMs: options.waitMs / 2 }),
  },

  'a batch frees its lane twice': {
    rules: [
      'turns that are ready go where no batch is in flight',
      'ready turns are looked for again',
      'a batch frees its lane once',
    ],
    make: (options) =>
      new (class extends CorrectQueue {
        override answered(batch: Batch<ModelTurn>): boolean {
          batch.isAnswered = false
          return super.answered(batch)
        }
      })(options),
  },

  'a locked conversation goes into the next batch at once': {
    rules: [
      'ready turns are looked for again',
      'a locked conversation waits for a lane of its own',
    ],
    make: (options) =>
      new (class extends CorrectQueue {
        override finished(batch: Batch<ModelTurn>, unfinished: UnfinishedTurns, now: number): void {
          super.finished(batch, unfinished, now)
          this.lookAgain()
        }
      })(options),
  },

  'locked turns are forgotten': {
    rules: ['locked turns are looked for again'],
    make: (options) =>
      new (class extends CorrectQueue {
        override finished(
          batch: Batch<ModelTurn>,
          { unsettled }: UnfinishedTurns,
          now: number,
        ): void {
          super.finished(batch, { locked: [], unsettled }, now)
        }
      })(options),
  },

  'locked turns go behind those that came later': {
    rules: ['turns of a conversation go in their order'],
    make: (options) =>
      new (class extends CorrectQueue {
        override finished(
          batch: Batch<ModelTurn>,
          { locked, unsettled }: UnfinishedTurns,
          now: number,
        ) {
          super.finished(batch, { locked: locked.toReversed(), unsettled }, now)
        }
      })(options),
  },

  'a conversation goes on while a turn of it is unsettled': {
    rules: ['a conversation is in at most one batch'],
    make: (options) =>
      new (class extends CorrectQueue {
        override finished(batch: Batch<ModelTurn>, { locked }: UnfinishedTurns, now: number): void {
          super.finished(batch, { locked, unsettled: [] }, now)
        }
      })(options),
  },

  'a conversation stays behind after its turns are settled': {
    rules: [
      'no turn waits for ever',
      'ready turns are looked for again',
      'turns that are ready go where no batch is in flight',
    ],
    make: (options) =>
      new (class extends CorrectQueue {
        override settled(): void {}
      })(options),
  },

  'twins of a key go together': {
    rules: ['twins go in different batches'],
    make: (options) =>
      new (class extends CorrectQueue {
        override add(turn: ModelTurn): boolean {
          const { bytes, row } = turn.turn
          return super.add({ ...turn, turn: { bytes, row: { ...row, key: null } } })
        }
      })(options),
  },

  'nobody waits for a conversation that is locked': {
    rules: ['locked turns are looked for again', 'no turn waits for ever'],
    make: (options) =>
      new (class extends CorrectQueue {
        override lookAgain(): void {}
        override next(now: number): Batch<ModelTurn> | undefined {
          const batch = super.next(now)
          return batch?.wait === true ? undefined : batch
        }
      })(options),
  },
}
