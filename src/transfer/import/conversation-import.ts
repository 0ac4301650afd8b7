/**
 * Runs the steps of one conversation in order. After a refused step or a missing turn, the remaining
 * steps are skipped, except for `withdraw`. Refused audio is only reported.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Rest } from '../../client/client.ts'
import type { Message } from '../../conversation/wire/schemas.ts'
import type { Audio, Report, Step } from '../formats/steps.ts'
import { type Refusal, refusalOf, withNovelty } from '../service-client.ts'
import { Attachments } from './attachment.ts'
import { createOrFind } from './conversation-creation.ts'
import { SegmentAudio } from './segment-audio.ts'
import { SpeechImport } from './speech-import.ts'
import type { SourceLine, Tally } from './tally.ts'
import { type RecordStep, TurnImport, withSegment } from './turn-import.ts'

export type ImportOptions = {
  readonly id: string
  /** Whether an `end` line must follow. If it is missing, the file was cut off. */
  readonly needsEnd: boolean
  readonly rest: Rest
  readonly tally: Tally
  /** Whether turns after a missing turn are recorded. */
  readonly allowGaps: boolean
}

export class ConversationImport {
  readonly #options: ImportOptions
  readonly #attachments: Attachments
  readonly #segmentAudio: SegmentAudio
  readonly #speech: SpeechImport
  readonly #turns: TurnImport
  /** Whether the conversation existed before this import. */
  #isStored = false
  /** Whether the conversation was found under the id that an earlier version of Turnlog derived. */
  #isUnderEarlierId = false
  /** Advice for the user if the stored conversation differs from the one in the file. */
  #advice = ''
  /** Whether a refusal ended the import of this conversation. */
  #isStopped = false
  #nextSeq = 1
  #hasEnded = false
  #lastSourceLine: SourceLine | undefined

  constructor(options: ImportOptions) {
    const { id, rest, tally } = options
    this.#options = options
    this.#attachments = new Attachments(rest, id)
    this.#segmentAudio = new SegmentAudio(this.#attachments, tally)
    this.#speech = new SpeechImport(rest, id)
    this.#turns = new TurnImport(rest, id, this.#speech)
  }

  /** Runs one step. A refusal of the service is reported; other problems are thrown. */
  async apply(step: Step, sourceLine: SourceLine): Promise<void> {
    this.#lastSourceLine = sourceLine
    if (step.do === 'end' || step.do === 'withdraw') this.#hasEnded = true
    else if (this.#isStopped) return this.#options.tally.countSkipped()
    if (this.#isStopped && step.do === 'end') return
    try {
      await this.#carryOut(step, sourceLine)
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      const reason = `conversation ${this.#options.id}: ${refusal.message}`
      this.#stop(sourceLine, `${step.do}: ${refusal.code}`, reason, step.do === 'create')
    }
  }

  /** Called after the last step. */
  finish(): void {
    const { id, needsEnd, tally } = this.#options
    if (needsEnd && !this.#hasEnded && this.#lastSourceLine !== undefined)
      tally.reportFailure(
        this.#lastSourceLine,
        `the lines of conversation ${id} stop here without an \`end\` line: the file was cut off`,
      )
  }

  #carryOut(step: Step, sourceLine: SourceLine): Promise<void> | void {
    switch (step.do) {
      case 'create':
        return this.#create(step, sourceLine)
      case 'record':
        return this.#record(step, sourceLine)
      case 'seat':
        return this.#seat(step.seq, step.key, sourceLine)
      case 'half':
        return this.#half(step, sourceLine)
      case 'heard':
        return this.#speech.report(step.report)
      case 'voiceSession':
        return this.#speech.session(step)
      case 'segment':
        return this.#segment(step.segmentId)
      case 'messageAudio':
        return this.#tryAudio(sourceLine, () => this.#attach(step.audio))
      case 'segmentAudio': {
        const { segmentId, urls } = step
        return this.#tryAudio(sourceLine, () =>
          this.#segmentAudio.give(segmentId, urls, sourceLine),
        )
      }
      case 'end':
        return this.#end(step.messages, sourceLine)
      case 'withdraw':
        return this.#withdraw(sourceLine)
    }
  }

  async #create(
    { body, whole, relocated }: Step & { do: 'create' },
    sourceLine: SourceLine,
  ): Promise<void> {
    const { rest, tally } = this.#options
    const note = (text: string) => tally.reportNote(sourceLine, text)
    const made = await createOrFind(body, whole, { rest, note })
    if (made.outcome === 'refused') return this.#stop(sourceLine, made.what, made.reason, true)
    this.#isStored = made.outcome !== 'new'
    this.#isUnderEarlierId = made.outcome === 'earlier'
    this.#advice = whole?.advice ?? ''
    tally.count(this.#isStored ? 'conversations found' : 'conversations new')
    tally.countRelocated(relocated)
  }

  async #record(step: RecordStep, sourceLine: SourceLine): Promise<void> {
    const { tally } = this.#options
    const { exported, audio, report, relocated } = step
    if (this.#isUnderEarlierId) return tally.count('turns replayed')
    const seq = exported?.[0]?.seq
    if (this.#isGap(seq, sourceLine)) return
    const outcome = await this.#turns.recordOrFind(step, this.#isStored)
    if ('refusal' in outcome) {
      const { refusal } = outcome
      return this.#stop(sourceLine, `turns: ${refusal.code}`, this.#refusalText(step, refusal))
    }
    const { messages, replayed } = outcome
    tally.count(replayed ? 'turns replayed' : 'turns new')
    tally.countRelocated(relocated)
    if (exported !== undefined && seq !== undefined)
      this.#noteSeq(seq, exported.length, messages[0]?.seq)
    else if (step.seq !== undefined && messages[0]?.seq !== step.seq) tally.count('turns moved')
    await this.#applyLaterChanges(messages.at(-1), audio, report, sourceLine)
  }

  #refusalText({ seq }: RecordStep, { code, message }: Refusal): string {
    const { id } = this.#options
    if (code === 'no answer') return message
    return code === 'idempotency-conflict' && seq !== undefined
      ? `message ${seq} of conversation ${id} was imported before with other content than this line has (${code}): nothing was added from there on. ${this.#advice}`
      : `conversation ${id}: ${message}`
  }

  async #seat(seq: number, key: string, sourceLine: SourceLine): Promise<void> {
    if (!this.#isGap(seq, sourceLine))
      this.#noteSeq(seq, 1, await this.#speech.open(key, undefined))
  }

  async #half(step: Step & { do: 'half' }, sourceLine: SourceLine): Promise<void> {
    const { seq, key, halves, audio, report } = step
    if (this.#isGap(seq, sourceLine)) return
    let storedSeq =
      halves.user === undefined ? undefined : await this.#speech.open(key, halves.user.at)
    const turn = await this.#speech.complete(step)
    if (turn === null) return this.#stop(sourceLine, 'turns: no answer', 'the answer has no parts')
    const { messages, replayed } = turn
    storedSeq ??= messages.find(({ role }) => role === 'ai')?.seq
    this.#options.tally.count(replayed ? 'turns replayed' : 'turns new')
    this.#noteSeq(seq, 1, storedSeq)
    await this.#applyLaterChanges(messages.at(-1), audio, report, sourceLine)
  }

  /** Sends the audio and the interruption that an answer got after it was recorded. */
  async #applyLaterChanges(
    stored: Message | undefined,
    audio: Audio | undefined,
    report: Report | undefined,
    sourceLine: SourceLine,
  ): Promise<void> {
    if (report !== undefined) await this.#speech.report(report)
    if (audio === undefined) return
    if (isDeepStrictEqual([stored?.ttsAudioUrls, stored?.segmentId], [audio.urls, audio.segmentId]))
      this.#attachments.noteCarrier(audio)
    else await this.#tryAudio(sourceLine, () => this.#attach(audio))
  }

  async #segment(segmentId: string): Promise<void> {
    const { id, rest, tally } = this.#options
    const { isNew } = await withNovelty((options) =>
      rest.createSegment(id, { id: segmentId }, options),
    )
    tally.count(isNew ? 'segments new' : 'segments found')
  }

  async #attach(audio: Audio): Promise<void> {
    const { id, rest, tally } = this.#options
    await withSegment(audio.segmentId, {
      write: () => this.#attachments.toMessage(audio),
      createSegment: (segmentId) => rest.createSegment(id, { id: segmentId }),
    })
    tally.count('audio')
  }

  /** Attaches audio. Only reports a refusal, because the order of attaching audio does not matter. */
  async #tryAudio(sourceLine: SourceLine, attaching: () => Promise<void>): Promise<void> {
    const { id, tally } = this.#options
    try {
      await attaching()
    } catch (error) {
      const refusal = refusalOf(error)
      if (refusal === undefined) throw error
      tally.reportRefusal(
        sourceLine,
        `audio: ${refusal.code}`,
        `conversation ${id}: ${refusal.message}`,
      )
    }
  }

  async #end(messages: number, sourceLine: SourceLine): Promise<void> {
    const { id, tally, allowGaps } = this.#options
    await this.#segmentAudio.close((at, giving) => this.#tryAudio(at, giving))
    if (messages !== this.#nextSeq - 1 && !allowGaps)
      tally.reportRefusal(
        sourceLine,
        'conversations: messages are missing',
        `conversation ${id} had ${messages} messages when it was exported, but the file has only ${this.#nextSeq - 1}`,
      )
  }

  #withdraw(sourceLine: SourceLine): void {
    this.#stop(
      sourceLine,
      'conversations: erased while they were exported',
      `conversation ${this.#options.id} was erased during its export: erase what was imported of it`,
    )
  }

  #isGap(seq: number | undefined, sourceLine: SourceLine): boolean {
    if (seq === undefined || seq <= this.#nextSeq || this.#options.allowGaps) return false
    this.#stop(
      sourceLine,
      'turns: an earlier turn is missing',
      `message ${this.#nextSeq} of conversation ${this.#options.id} is missing before message ${seq}: add its line, or use --allow-gaps`,
    )
    return true
  }

  /** Advances `#nextSeq`, and counts the turn as moved if it is stored at another `seq`. */
  #noteSeq(seq: number, count: number, storedSeq: number | undefined): void {
    this.#nextSeq = Math.max(this.#nextSeq, seq + count)
    if (storedSeq !== seq) this.#options.tally.count('turns moved')
  }

  /** Skips the remaining steps. `isLine`: nothing of the line was recorded. */
  #stop(sourceLine: SourceLine, what: string, reason: string, isLine = false): void {
    this.#isStopped = true
    this.#options.tally.reportRefusal(sourceLine, what, reason, isLine)
  }
}
