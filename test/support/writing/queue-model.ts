/**
 * A model of the queue of the group commit. A test chooses every step: submitted turns, batches
 * that the database answers in any order, conversations that other writers lock, lost connections,
 * and time. A broken rule is thrown as an error with the name of the rule.
 */
import {
  type Batch,
  gatherMs,
  type QueueOptions,
  TurnQueue,
  waitingLanes,
} from '../../../src/conversation/writing/turn-queue.ts'

export type ModelTurn = {
  readonly turn: {
    readonly bytes: number
    readonly row: {
      readonly conversationId: string
      readonly key: string | null
      readonly callerIds: string[] | null
    }
  }
  readonly since: number
  readonly n: number
}

/** How the database answers the turns of one conversation in a batch. */
export type Answer = 'recorded' | 'locked' | 'half-locked' | 'unsettled' | 'half-unsettled'

export type Step =
  | {
      readonly type: 'submit'
      readonly c: number
      readonly bytes: number
      /** One of few keys, so that some turns have the same. */
      readonly key: number | undefined
      readonly id: number | undefined
    }
  | { readonly type: 'dispatch' }
  /** Time passes. */
  | { readonly type: 'pass'; readonly ms: number }
  /** The database answers a batch in flight before its turns are decided. */
  | { readonly type: 'answer'; readonly batch: number }
  /** A batch in flight ends. `answers` has one answer for each of its conversations. */
  | { readonly type: 'finish'; readonly batch: number; readonly answers: readonly Answer[] }
  | { readonly type: 'settle'; readonly conversation: number }
  | { readonly type: 'look' }

export type Queue = Pick<TurnQueue<ModelTurn>, keyof TurnQueue<ModelTurn>>

/** Makes the queue under test: the queue of the service, or one with a mistake. */
export type Mistake = (options: QueueOptions) => Queue

export const options: QueueOptions = {
  bounds: {
    lanes: 2,
    batchTurnsMax: 4,
    batchBytesMax: 100,
    waitingTurnsMax: 8,
    waitingBytesMax: 400,
  },
  waitMs: 1000,
  overlaps: true,
}

const { bounds, waitMs } = options

const conversationOf = ({ turn }: ModelTurn): string => turn.row.conversationId

function check(holds: boolean, rule: string): void {
  if (!holds) throw new Error(rule)
}

type Parts = {
  readonly recorded: readonly ModelTurn[]
  readonly locked: readonly ModelTurn[]
  readonly unsettled: readonly ModelTurn[]
}

type Flight = { readonly batch: Batch<ModelTurn>; isAnswered: boolean }

const noMistake: Mistake = (options) => new TurnQueue<ModelTurn>(options)

export class QueueWorld {
  readonly #queue: Queue
  readonly #flights: Flight[] = []
  /** The queued turns of each conversation, in the order in which they must be sent. */
  readonly #queued = new Map<string, readonly ModelTurn[]>()
  /** Conversations that are in flight or unsettled. */
  readonly #busy = new Set<string>()
  /** Locked conversations, whose next call waits for the lock. */
  readonly #locked = new Set<string>()
  readonly #unsettled = new Map<string, Parts>()
  /** The recorded turns of each conversation, in the order of the database. */
  readonly #recorded = new Map<string, number[]>()
  readonly #accepted: number[] = []
  readonly #decided: number[] = []
  /** Every turn, by its number. */
  readonly #turns: ModelTurn[] = []
  #now = 0

  constructor(mistake: Mistake = noMistake) {
    this.#queue = mistake(options)
  }

  /** Does every step. Then all undecided turns are recorded. */
  run(steps: readonly Step[]): void {
    for (const step of steps) this.#do(step)
    for (let pass = 0; !this.#queue.isEmpty; pass += 1) {
      check(pass < 100, 'every turn is decided in the end')
      this.#do({ type: 'look' })
      for (const [id, parts] of this.#unsettled) this.#settle(id, parts)
      while (this.#flights.length > 0) this.#finish(0, [])
      this.#dispatch()
    }
    check(this.#flights.length === 0, 'an empty queue has nothing in flight')
    const decided = this.#decided.toSorted((a, b) => a - b)
    check(decided.join() === this.#accepted.join(), 'every turn is decided once')
  }

  #do(step: Step): void {
    switch (step.type) {
      case 'submit':
        this.#submit(step)
        return
      case 'dispatch':
        this.#dispatch()
        return
      case 'pass':
        this.#now += step.ms
        return
      case 'answer': {
        const flight = this.#flights[step.batch % Math.max(1, this.#flights.length)]
        if (flight !== undefined) this.#answer(flight)
        return
      }
      case 'finish':
        this.#finish(step.batch, step.answers)
        return
      case 'settle': {
        const all = [...this.#unsettled]
        const one = all[step.conversation % Math.max(1, all.length)]
        if (one !== undefined) this.#settle(...one)
        return
      }
      case 'look':
        this.#locked.clear()
        this.#queue.lookAgain()
    }
  }

  #submit({ c, bytes, key, id }: Extract<Step, { type: 'submit' }>): void {
    const row = {
      conversationId: `c${c}`,
      key: key === undefined ? null : `k${key}`,
      callerIds: id === undefined ? null : [`id${id}`],
    }
    const turn = { turn: { bytes, row }, since: this.#now, n: this.#turns.length }
    this.#turns.push(turn)
    const waiting = [...this.#queued.values()].flat()
    const waitingBytes = waiting.reduce((sum, one) => sum + one.turn.bytes, 0)
    const hasRoom =
      waiting.length < bounds.waitingTurnsMax && waitingBytes + bytes <= bounds.waitingBytesMax
    check(this.#queue.add(turn) === hasRoom, 'a turn past the bounds is refused')
    if (!hasRoom) return
    this.#accepted.push(turn.n)
    this.#queued.set(row.conversationId, [...this.#queuedOf(row.conversationId), turn])
  }

  #dispatch(): void {
    this.#queue.sweep(this.#now)
    this.#drop(new Map())
    for (let batches = 0; ; batches += 1) {
      check(batches <= bounds.lanes + waitingLanes, 'a dispatch ends once the lanes are full')
      const batch = this.#queue.next(this.#now)
      if (batch === undefined) break
      this.#send(batch)
    }
    const isIdle = this.#flights.every(({ isAnswered, batch }) => isAnswered || batch.wait)
    const ready = [...this.#queued.keys()].filter((id) => this.#isReady(id))
    const hasReady = ready.length > 0
    check(!(isIdle && hasReady), 'a ready turn is sent if no batch is in flight')
    const hasLane = this.#inFlight(false).length < bounds.lanes
    check(
      this.#queue.isGathering === (hasReady && hasLane),
      'isGathering is true if ready turns wait for more turns',
    )
    const isOld = (id: string) => this.#now - (this.#queuedOf(id)[0]?.since ?? 0) >= gatherMs
    check(!(hasLane && hasReady && ready.every(isOld)), 'a ready turn is sent after gatherMs')
    const hasLocked = [...this.#locked].some((id) => this.#queuedOf(id).length > 0)
    check(this.#queue.hasLocked === hasLocked, 'hasLocked is true if locked turns wait')
  }

  #isReady(id: string): boolean {
    return this.#queuedOf(id).length > 0 && !this.#busy.has(id) && !this.#locked.has(id)
  }

  #send(batch: Batch<ModelTurn>): void {
    const turns = this.#turnsOf(batch)
    const { wait } = batch
    const ids = new Set(turns.map(conversationOf))
    const bytes = turns.reduce((sum, { turn }) => sum + turn.bytes, 0)
    check(turns.length > 0, 'a batch has turns')
    check(turns.length <= bounds.batchTurnsMax, 'a batch keeps its bound of turns')
    check(turns.length === 1 || bytes <= bounds.batchBytesMax, 'a batch keeps its bound of bytes')
    if (wait) {
      check(ids.size === 1, 'a waiting call has one conversation')
      const isLocked = [...ids].every((id) => this.#locked.delete(id))
      check(isLocked, 'a call waits only for a locked conversation')
    }
    for (const id of ids) {
      check(!this.#busy.has(id), 'a conversation is in at most one batch')
      check(!this.#locked.has(id), 'a locked conversation waits for a call of its own')
      this.#busy.add(id)
      const own = turns.filter((turn) => conversationOf(turn) === id)
      const queued = this.#queuedOf(id)
      check(
        own.every((turn, index) => turn === queued[index]),
        'turns of a conversation are sent in their order',
      )
      const names = own.flatMap(({ turn: { row } }) => [row.key ?? [], row.callerIds ?? []].flat())
      check(
        new Set(names).size === names.length,
        'two turns with one key or id are in different batches',
      )
      this.#queued.set(id, queued.slice(own.length))
    }
    this.#flights.push({ batch, isAnswered: false })
    check(this.#inFlight(false).length <= bounds.lanes, 'the batches in flight keep their bound')
    check(this.#inFlight(true).length <= waitingLanes, 'the waiting calls keep their bound')
  }

  #inFlight(wait: boolean): Flight[] {
    return this.#flights.filter((one) => one.batch.wait === wait && !one.isAnswered)
  }

  #answer(flight: Flight): void {
    const isFirst = this.#queue.answered(flight.batch)
    check(isFirst !== flight.isAnswered, 'a batch frees its lane once')
    flight.isAnswered = true
  }

  #finish(flightIndex: number, answers: readonly Answer[]): void {
    const [flight] = this.#flights.splice(flightIndex % Math.max(1, this.#flights.length), 1)
    if (flight === undefined) return
    const turns = this.#turnsOf(flight.batch)
    const unfinished = { locked: [] as ModelTurn[], unsettled: [] as ModelTurn[] }
    const released = new Map<string, boolean>()
    for (const [index, id] of [...new Set(turns.map(conversationOf))].entries()) {
      const own = turns.filter((turn) => conversationOf(turn) === id)
      const parts = partsOf(own, answers[index] ?? 'recorded')
      this.#record(parts.recorded)
      unfinished.locked.push(...parts.locked)
      unfinished.unsettled.push(...parts.unsettled)
      if (parts.unsettled.length > 0) this.#unsettled.set(id, parts)
      else released.set(id, this.#release(id, parts.locked))
    }
    this.#queue.finished(flight.batch, unfinished, this.#now)
    this.#drop(released)
  }

  #settle(id: string, { unsettled, locked }: Parts): void {
    this.#unsettled.delete(id)
    this.#record(unsettled)
    const isLocked = this.#release(id, locked)
    this.#queue.settled(id, this.#now)
    this.#drop(new Map([[id, isLocked]]))
  }

  /** Releases a conversation. Returns whether it is locked. */
  #release(id: string, locked: readonly ModelTurn[]): boolean {
    this.#busy.delete(id)
    this.#queued.set(id, [...locked, ...this.#queuedOf(id)])
    if (locked.length > 0) this.#locked.add(id)
    return locked.length > 0
  }

  #record(turns: readonly ModelTurn[]): void {
    for (const turn of turns) {
      const id = conversationOf(turn)
      const before = this.#recorded.get(id) ?? []
      check((before.at(-1) ?? -1) < turn.n, 'turns of a conversation are recorded in their order')
      this.#recorded.set(id, [...before, turn.n])
      this.#decided.push(turn.n)
    }
  }

  /**
   * Checks the turns that the queue refuses. `released` has the conversations just released, with
   * whether they are locked.
   */
  #drop(released: ReadonlyMap<string, boolean>): void {
    for (const { turn, code } of this.#queue.takeRefused()) {
      const id = conversationOf(turn)
      const [next, ...later] = this.#queuedOf(id)
      check(next?.n === turn.n, 'turns are refused in their order')
      check(this.#now - turn.since >= waitMs, 'only an overdue turn is refused')
      const expectedCode = released.get(id) ? 'conversation-busy' : 'overloaded'
      check(code === expectedCode, 'the code of a refusal shows whether the conversation is locked')
      this.#queued.set(id, later)
      if (later.length === 0) this.#locked.delete(id)
      this.#decided.push(turn.n)
    }
    const remaining = [...released.keys()].flatMap((id) => this.#queuedOf(id))
    check(
      remaining.every(({ since }) => this.#now - since < waitMs),
      'overdue turns are refused when their conversation is released',
    )
  }

  #turnsOf({ turns }: Batch<ModelTurn>): ModelTurn[] {
    return turns.flatMap(({ n }) => this.#turns[n] ?? [])
  }

  #queuedOf(id: string): readonly ModelTurn[] {
    return this.#queued.get(id) ?? []
  }
}

/**
 * Divides the turns of a conversation by the answer. Locked turns are always after the decided or
 * unsettled ones.
 */
function partsOf(own: readonly ModelTurn[], answer: Answer): Parts {
  const middle = Math.ceil(own.length / 2)
  const [head, tail] = [own.slice(0, middle), own.slice(middle)]
  switch (answer) {
    case 'recorded':
      return { recorded: own, locked: [], unsettled: [] }
    case 'locked':
      return { recorded: [], locked: own, unsettled: [] }
    case 'half-locked':
      return { recorded: head, locked: tail, unsettled: [] }
    case 'unsettled':
      return { recorded: [], locked: [], unsettled: own }
    case 'half-unsettled':
      return { recorded: [], locked: tail, unsettled: head }
  }
}
