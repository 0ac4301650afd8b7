/**
 * Mistakes in the queue of the group commit. The model must find each of them, or it proves
 * nothing.
 */
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

  'the bytes of a batch are not counted': {
    rules: ['a batch keeps its bound of bytes'],
    make: (options) =>
      new CorrectQueue({
        ...options,
        bounds: { ...options.bounds, batchBytesMax: Number.MAX_VALUE },
      }),
  },

  'one lane more than the bound is used': {
    rules: [
      'isGathering is true if ready turns wait for more turns',
      'the batches in flight keep their bound',
    ],
    make: (options) =>
      new CorrectQueue({
        ...options,
        bounds: { ...options.bounds, lanes: options.bounds.lanes + 1 },
      }),
  },

  'the bytes of waiting turns are not bounded': {
    rules: ['a turn past the bounds is refused'],
    make: (options) =>
      new CorrectQueue({
        ...options,
        bounds: { ...options.bounds, waitingBytesMax: Number.MAX_VALUE },
      }),
  },

  'a turn waits without end': {
    rules: ['overdue turns are refused when their conversation is released'],
    make: (options) => new CorrectQueue({ ...options, waitMs: Number.MAX_VALUE }),
  },

  'a turn is refused too early': {
    rules: ['only an overdue turn is refused'],
    make: (options) => new CorrectQueue({ ...options, waitMs: options.waitMs / 2 }),
  },

  'a batch frees its lane twice': {
    rules: [
      'a ready turn is sent if no batch is in flight',
      'isGathering is true if ready turns wait for more turns',
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

  'a locked conversation is in the next batch at once': {
    rules: [
      'isGathering is true if ready turns wait for more turns',
      'a locked conversation waits for a call of its own',
    ],
    make: (options) =>
      new (class extends CorrectQueue {
        override finished(batch: Batch<ModelTurn>, unfinished: UnfinishedTurns, now: number): void {
          super.finished(batch, unfinished, now)
          this.lookAgain()
        }
      })(options),
  },

  'a locked turn is lost': {
    rules: ['hasLocked is true if locked turns wait'],
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

  'locked turns are sent after those that arrived later': {
    rules: ['turns of a conversation are sent in their order'],
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

  'a conversation with an unsettled turn is in a batch': {
    rules: ['a conversation is in at most one batch'],
    make: (options) =>
      new (class extends CorrectQueue {
        override finished(batch: Batch<ModelTurn>, { locked }: UnfinishedTurns, now: number): void {
          super.finished(batch, { locked, unsettled: [] }, now)
        }
      })(options),
  },

  'a conversation is not released after its turns are settled': {
    rules: [
      'every turn is decided in the end',
      'isGathering is true if ready turns wait for more turns',
      'a ready turn is sent if no batch is in flight',
    ],
    make: (options) =>
      new (class extends CorrectQueue {
        override settled(): void {}
      })(options),
  },

  'two turns with one key are in one batch': {
    rules: ['two turns with one key or id are in different batches'],
    make: (options) =>
      new (class extends CorrectQueue {
        override add(turn: ModelTurn): boolean {
          const { bytes, row } = turn.turn
          return super.add({ ...turn, turn: { bytes, row: { ...row, key: null } } })
        }
      })(options),
  },

  'no call waits for a locked conversation': {
    rules: ['hasLocked is true if locked turns wait', 'every turn is decided in the end'],
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
