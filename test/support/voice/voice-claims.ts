/**
 * Claims are rules about spoken turns that hold in every order of steps, without a model. They
 * cover every state that a reader was shown, and every acknowledged write.
 */
import type { Message, VoiceSession } from '../../../src/conversation/wire/schemas.ts'
import type { ServerFrame } from '../../../src/live/protocol/server-frames.ts'
import type { Step } from './voice-steps.ts'
import {
  answerParts,
  codePoints,
  heardAt,
  heardParts,
  madeFor,
  sessionName,
  userText,
} from './voice-words.ts'

/**
 * The names of the rules. `answers`, `stored` and `views` compare with the model, `fold` with reads
 * over REST.
 */
export type Rule =
  | ('lost' | 'doubled' | 'position' | 'said' | 'heard' | 'audio' | 'replay')
  | ('answers' | 'stored' | 'views' | 'fold')

export class Broken extends Error {
  readonly rule: Rule

  constructor(rule: Rule, what: string) {
    super(`${rule}: ${what}`)
    this.rule = rule
  }
}

type Answered = { readonly step: Step; readonly frame: ServerFrame }

export class Claims {
  /** The number of checks so far. */
  checks = 0
  readonly #turns = new Set<number>()
  readonly #versions = new Map<string, Map<number, Message>>()
  readonly #idBySeq = new Map<number, string>()
  readonly #answered: Answered[] = []
  /** The steps that take a report back, whether they have an answer or not. */
  readonly #takenBack: { readonly key: number; readonly at: number }[] = []

  must(rule: Rule, holds: boolean, what: () => string): void {
    this.checks += 1
    if (!holds) throw new Broken(rule, what())
  }

  same(rule: Rule, found: unknown, expected: unknown, where: string): void {
    const text = (value: unknown) => JSON.stringify(value, null, 1)
    this.must(
      rule,
      Bun.deepEquals(found, expected),
      () => `${where}: ${text(found)}, and not ${text(expected)}`,
    )
  }

  stepSent(step: Step): void {
    if ('key' in step) this.#turns.add(step.key)
    if (step.do === 'heard' && step.heard === null) this.#takenBack.push(step)
  }

  answered(step: Step, frame: ServerFrame): void {
    if (frame.t === 'problem') return
    const name = JSON.stringify(step)
    const before = this.#answered.find((each) => JSON.stringify(each.step) === name)?.frame
    if ('replayed' in frame && frame.replayed && before !== undefined && 'version' in before)
      this.must(
        'replay',
        before.version === frame.version,
        () => `${name} was answered ${JSON.stringify(before)}, then ${JSON.stringify(frame)}`,
      )
    this.#answered.push({ step, frame })
  }

  /** Checks a message that a reader was shown. Messages may be passed in any order. */
  messageShown(message: Message): void {
    const { id, seq, version, parts, ttsAudioUrls, heard } = message
    const firstId = this.#idBySeq.get(seq) ?? id
    this.#idBySeq.set(seq, firstId)
    this.must('doubled', firstId === id, () => `seq ${seq} has two messages: ${firstId} and ${id}`)
    const versions = this.#versions.get(id) ?? new Map<number, Message>()
    this.#versions.set(id, versions.set(version, versions.get(version) ?? message))
    for (const other of versions.values())
      if (other.version <= version) this.#follows(other, message)
      else this.#follows(message, other)
    for (const [part, url] of ttsAudioUrls?.entries() ?? []) {
      if (url === null) continue
      const made = madeFor(url)
      const isRight = made.part === part && made.text === parts[part]
      this.must('audio', isRight, () => `${url} is at part ${part} of ${JSON.stringify(parts)}`)
    }
    const charactersMax = codePoints(parts.join('')).length
    const isWithin =
      (heard?.parts ?? 0) <= parts.length && (heard?.characters ?? 0) <= charactersMax
    this.must('heard', isWithin, () => `of ${JSON.stringify(parts)}: ${JSON.stringify(heard)}`)
  }

  #follows(one: Message, later: Message): void {
    const both = () => `${JSON.stringify(one)}, then ${JSON.stringify(later)}`
    const isSamePosition =
      one.seq === later.seq && one.role === later.role && one.turnId === later.turnId
    this.must('position', isSamePosition, both)
    const isSaid =
      one.state !== 'filled' || (later.state === 'filled' && later.content === one.content)
    this.must('said', isSaid, both)
    // A report that was taken back leaves no time.
    const isLater = later.interruptedAt === null || (one.interruptedAt ?? '') <= later.interruptedAt
    this.must('heard', isLater, both)
    const hasBoth = (later.heard === null) === (later.interruptedAt === null)
    this.must('heard', hasBoth, both)
    if (one.version === later.version) this.same('said', one, later, 'one version of a message')
  }

  /** Checks all stored messages, in their order, and all sessions. */
  judge(messages: readonly Message[], sessions: readonly VoiceSession[]): void {
    for (const [index, message] of messages.entries()) {
      this.must('lost', message.seq === index + 1, () => `seq ${index + 1} is missing`)
      this.messageShown(message)
    }
    const humans = messages.filter(({ role }) => role === 'human')
    const texts = messages.filter(({ state }) => state === 'filled').map(({ content }) => content)
    this.must('doubled', humans.length <= this.#turns.size, () => `${humans.length} seats`)
    this.must('doubled', new Set(texts).size === texts.length, () => texts.join('; '))
    for (const { role, turnId, seq } of messages) {
      if (role !== 'ai') continue
      const human = humans.find(({ id }) => id === turnId)
      const isBefore = human !== undefined && human.seq < seq
      this.must('position', isBefore, () => `the answer at seq ${seq} is before its question`)
    }
    for (const answered of this.#answered) {
      const isKept = isStored(answered, messages, sessions) || this.#isTakenBack(answered)
      this.must('lost', isKept, () => JSON.stringify(answered))
    }
  }

  /** Whether a report is gone because one of the same time or a later one took it back. */
  #isTakenBack({ step }: Answered): boolean {
    return (
      step.do === 'heard' &&
      this.#takenBack.some(({ key, at }) => key === step.key && at >= step.at)
    )
  }

  /**
   * Checks the heard view: it is a prefix of the said view, part by part, unless the report had its
   * own text.
   */
  heardView(said: readonly Message[], heard: readonly Message[]): void {
    const expected = said.flatMap(({ id, parts, heard }) => {
      const shown = heardParts(parts, heard)
      return shown.parts.length === 0 ? [] : [{ id, ...shown }]
    })
    this.same('heard', ids(heard), ids(expected), 'the messages of the heard view')
    for (const { id, parts } of heard) {
      const { isQuoted } = expected.find((each) => each.id === id) ?? { isQuoted: false }
      const whole = said.find((each) => each.id === id)?.parts ?? []
      const isPrefix = parts.every((part, n) =>
        n < parts.length - 1 ? part === whole[n] : whole[n]?.startsWith(part) === true,
      )
      this.must('heard', isQuoted || isPrefix, () => `${parts.join('|')} of ${whole.join('|')}`)
    }
  }
}

const ids = (all: readonly { readonly id: string }[]) => all.map(({ id }) => id)

/** Whether an acknowledged write is stored. */
function isStored(
  { step, frame }: Answered,
  messages: readonly Message[],
  sessions: readonly VoiceSession[],
): boolean {
  const found = (id: string | null) => messages.find((message) => message.id === id)
  switch (frame.t) {
    case 'turn.opened':
      return found(frame.humanMessageId)?.seq === frame.seq
    case 'recorded':
    case 'turn.completed': {
      if (step.do !== 'record' && step.do !== 'complete') return false
      const [user, words] =
        step.do === 'record' ? [step.words, step.words] : [step.user, step.assistant]
      const [human, answer] = [found(frame.humanMessageId), found(frame.assistantMessageId)]
      const isSaid = user === null || human?.content === userText(step.key, user)
      const parts = words === null ? undefined : answerParts(step.key, words)
      return isSaid && (parts === undefined || answer?.parts.join('|') === parts.join('|'))
    }
    case 'interrupted':
      return (
        step.do === 'heard' && (found(frame.messageId)?.interruptedAt ?? '') >= heardAt(step.at)
      )
    case 'attached': {
      if (step.do !== 'audio' || frame.messageId === null) return frame.heldUntil !== undefined
      return typeof found(frame.messageId)?.ttsAudioUrls?.[step.part] === 'string'
    }
    case 'voice.started':
      return step.do === 'start' && sessions.some(({ id }) => id === sessionName(step.session))
    case 'voice.ended':
      return sessions.some(({ id, endedAt }) => id === frame.sessionId && endedAt !== null)
    default:
      return false
  }
}
