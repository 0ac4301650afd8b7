/**
 * The checker judges the recorded history of a run. It knows the protocol only, not the code of the
 * service or of the clients. A run is right if the checker returns no violation.
 */
import type { Message } from '../../../src/conversation/wire/schemas.ts'
import type { ServerFrames } from '../../../src/live/protocol/server-frames.ts'
import { versionOf } from './live.ts'
import type {
  History,
  ProducerEvent,
  ProducerHistory,
  SubscriberHistory,
  TrueConversation,
  Truth,
} from './live-history.ts'

export type Rule =
  /** A version did not increase, or a row is outside its range. */
  | 'order'
  /** A range begins after the end of the one before it. */
  | 'hole'
  /**
   * The same state of a row arrived twice, or a range begins before the end of the one before it.
   */
  | 'twice'
  /**
   * Delivery did not begin at the requested version, or a client did not request its own version.
   */
  | 'resume'
  /** A delivered row is not in Postgres. */
  | 'unfounded'
  /** The state made of all frames differs from the one in Postgres. */
  | 'folded'
  /** An acknowledged write is not in Postgres. */
  | 'lost'
  /** A turn is stored twice, or was acknowledged as two turns. */
  | 'doubled'
  /** Turns of one socket were not recorded in the order of their frames. */
  | 'fifo'
  /** Postgres breaks its own rules. */
  | 'database'
  /** A subscriber did not reach the head in time. */
  | 'late'
  /** A subscription ended, or a turn was refused, without a reason in Postgres. */
  | 'refused'
  /** A node failed, and no injected fault explains it. */
  | 'fault'

export type Violation = {
  readonly rule: Rule
  readonly who: string
  readonly c: string
  readonly what: string
}

type Report = (rule: Rule, c: string, what: string) => void

/** Returns the violations of all rules in a history. */
export function check(history: History): Violation[] {
  const violations: Violation[] = []
  const reportOf =
    (who: string): Report =>
    (rule, c, what) => {
      violations.push({ rule, who, c, what })
    }
  for (const one of history.subscribers) checkSubscriber(one, history, reportOf(one.name))
  checkTurns(history, reportOf('turns'))
  for (const one of history.producers) {
    checkProducer(one, history.truth, reportOf(one.name))
    checkOrder(one, reportOf(one.name))
  }
  for (const [c, conversation] of history.truth)
    checkTruth(conversation, (rule, what) => reportOf('Postgres')(rule, c, what))
  for (const { name, c, ms } of history.arrivals)
    if (ms === undefined) reportOf(name)('late', c, 'is not at the head in time')
  for (const { name, faults } of history.nodes)
    for (const fault of faults) reportOf(name)('fault', '', fault)
  return violations
}

/** The state of one conversation as a subscriber has it. */
class JudgedCopy {
  /** Undefined before delivery has begun. */
  last: number | undefined
  /** Whether the subscriber follows the conversation on its open socket. */
  open = false
  requested: { cursor?: string; tail?: number } | undefined
  /** The snapshot that must arrive next: its version, and how many messages it may have. */
  snapshot: { readonly at: number; readonly count: number } | undefined
  /** Messages at or below this version and before `firstSeq` are older than the subscription. */
  base = 0
  firstSeq = Number.POSITIVE_INFINITY
  ended = false
  title: string | null | undefined
  readonly messages = new Map<string, Message>()
  readonly segments = new Map<string, number>()
  readonly received = new Set<string>()
}

function checkSubscriber({ events }: SubscriberHistory, { truth }: History, report: Report): void {
  const copies = new Map<string, JudgedCopy>()
  const copyOf = (c: string) => {
    const copy = copies.get(c) ?? new JudgedCopy()
    copies.set(c, copy)
    return copy
  }
  for (const event of events) {
    if (event.kind === 'opened' || event.kind === 'closed') {
      for (const copy of copies.values()) {
        // Without the snapshot the subscriber has no state to resume from.
        if (copy.snapshot !== undefined) copy.last = undefined
        copy.open = false
        copy.requested = undefined
        copy.snapshot = undefined
      }
    } else if (event.kind === 'asked') {
      const { c, cursor, tail } = event
      const copy = copyOf(c)
      copy.open = false
      copy.requested = {
        ...(cursor === undefined ? {} : { cursor }),
        ...(tail === undefined ? {} : { tail }),
      }
      if (cursor === undefined) {
        if (copy.last !== undefined)
          report('resume', c, `started again without a cursor, at ${copy.last}`)
        continue
      }
      const at = versionOf(cursor)
      if (copy.last !== undefined && copy.last !== at)
        report('resume', c, `requested the changes after ${at}, but is at ${copy.last}`)
    } else {
      const { frame } = event
      if (frame.t === 'ping') {
        for (const [c, version] of Object.entries(frame.heads)) {
          const { open, last = 0 } = copyOf(c)
          if (open && version > last) report('hole', c, `was sent ${version} and got ${last}`)
        }
      } else if (frame.t === 'subscribed') takeSubscribed(frame, copyOf(frame.c), report)
      else if (frame.t === 'change') takeChange(frame, copyOf(frame.c), truth, report)
      else if (frame.t === 'live') {
        const { last } = copyOf(frame.c)
        if (frame.version !== last) report('hole', frame.c, `live at ${frame.version}, has ${last}`)
      } else if (frame.t === 'bye') {
        if (!expectedCodes.has(frame.code)) report('fault', '', `bye with ${frame.code}`)
      } else if (frame.t === 'reset' || frame.t === 'problem') {
        const c = frame.c ?? ''
        const copy = copyOf(c)
        const reason = frame.t === 'reset' ? frame.reason : frame.code
        if (frame.t === 'problem' && frame.retryable) continue
        copy.open = false
        copy.ended = true
        const isErased = reason === 'conversation-erased' && truth.get(c)?.erased === true
        if (!isErased) report('refused', c, `ended by ${reason}`)
      }
    }
  }
  for (const [c, copy] of copies) checkFolded(c, copy, truth.get(c), report)
}

/** The close codes that injected faults cause: a slow or silent reader, and a drain. */
const expectedCodes = new Set([4101, 4104, 4200])

function takeSubscribed(frame: ServerFrames['subscribed'], copy: JudgedCopy, report: Report): void {
  const { c, cursor, recovered } = frame
  const at = versionOf(cursor)
  const { requested } = copy
  copy.requested = undefined
  copy.open = true
  if (requested === undefined) {
    report('resume', c, 'subscribed without a `sub`')
    return
  }
  if (requested.cursor !== undefined) {
    if (requested.cursor !== cursor || !recovered)
      report(
        'resume',
        c,
        `requested the changes after ${versionOf(requested.cursor)}, and got ${at}`,
      )
    if (copy.last === undefined) {
      copy.base = at
      copy.firstSeq = Number.POSITIVE_INFINITY
    }
  } else {
    if (recovered) report('resume', c, 'recovered without a cursor')
    forget(copy)
    copy.base = at
    copy.firstSeq = Number.POSITIVE_INFINITY
    if (requested.tail !== undefined) copy.snapshot = { at, count: requested.tail }
  }
  copy.last = at
}

function takeChange(
  frame: ServerFrames['change'],
  copy: JudgedCopy,
  truth: Truth,
  report: Report,
): void {
  const { c, from, version, cursor, messages, segments = [], conversation, snapshot } = frame
  const { last = 0 } = copy
  if (!copy.open) report('resume', c, `a change to ${version} came before its subscription`)
  if (versionOf(cursor) !== version) report('order', c, `the cursor of ${version} is another one`)
  const stored = truth.get(c)
  if (copy.snapshot !== undefined || snapshot === true) {
    const { at, count = 0 } = copy.snapshot ?? {}
    if (snapshot !== true || from !== 0 || version !== at)
      report('resume', c, `the snapshot at ${at} is ${from}..${version}`)
    forget(copy)
    copy.snapshot = undefined
    // `folded` finds a message that the snapshot left out below its end.
    copy.firstSeq = messages[0]?.seq ?? 0
    const isShort = messages.length < count && copy.firstSeq > 1
    if (messages.length > count || (isShort && JSON.stringify(messages).length < snapshotBytes))
      report('resume', c, `a tail of ${count} brought ${messages.length}`)
    if (messages.some((message) => message.version > version))
      report('order', c, `the snapshot at ${version} holds what is later`)
  } else {
    if (from > last) report('hole', c, `${from}..${version} came after ${last}`)
    if (from < last) report('twice', c, `${from}..${version} came after ${last}`)
    if (version <= last || version <= from)
      report('order', c, `${from}..${version} came after ${last}`)
    for (const row of [...messages, ...segments])
      if (row.version <= from || row.version > version)
        report('order', c, `version ${row.version} came in ${from}..${version}`)
  }
  if (stored === undefined || version > stored.version)
    report('unfounded', c, `version ${version}, Postgres has ${stored?.version}`)
  for (const message of messages) {
    const name = `${message.id} ${message.version}`
    if (copy.received.has(name)) report('twice', c, `message ${name}`)
    copy.received.add(name)
    copy.messages.set(message.id, message)
    if (stored !== undefined) checkFounded(c, message, stored, report)
  }
  for (const { id, version: at } of segments) copy.segments.set(id, at)
  if (conversation !== undefined) {
    copy.title = conversation.title
    if (conversation.erasedAt !== null && stored?.erased !== true)
      report('unfounded', c, 'was erased')
  }
  copy.last = version
}

/**
 * Above this many bytes, a snapshot may have fewer messages than requested, because a page is full.
 */
const snapshotBytes = 10_000

/**
 * Compares a delivered message with Postgres. An erased conversation has no rows to compare with.
 */
function checkFounded(c: string, message: Message, stored: TrueConversation, report: Report): void {
  if (stored.erased) return
  const found = messagesById(stored).get(message.id)
  if (found === undefined) {
    report('unfounded', c, `message ${message.id} is not there`)
    return
  }
  const { id, version } = message
  const isSame =
    found.seq === message.seq &&
    found.turnId === message.turnId &&
    found.role === message.role &&
    found.messageType === message.messageType &&
    found.voiceSessionId === message.voiceSessionId &&
    Bun.deepEquals(found.parts, message.parts)
  if (!isSame) report('unfounded', c, `message ${id} reads otherwise`)
  if (version > found.version) report('unfounded', c, `message ${id} has not come to ${version}`)
  if (version === found.version && !Bun.deepEquals(found.ttsAudioUrls, message.ttsAudioUrls))
    report('unfounded', c, `message ${id} has other audio at ${version}`)
}

const indexes = new WeakMap<TrueConversation, Map<string, TrueConversation['messages'][number]>>()
function messagesById(stored: TrueConversation) {
  const found = indexes.get(stored) ?? new Map(stored.messages.map((each) => [each.id, each]))
  indexes.set(stored, found)
  return found
}

function forget(copy: JudgedCopy): void {
  copy.messages.clear()
  copy.segments.clear()
  copy.received.clear()
  copy.title = undefined
}

function checkFolded(
  c: string,
  copy: JudgedCopy,
  stored: TrueConversation | undefined,
  report: Report,
): void {
  if (stored === undefined || stored.erased || copy.ended || copy.last === undefined) return
  if (copy.last !== stored.version)
    report('folded', c, `stands at ${copy.last}, Postgres at ${stored.version}`)
  for (const message of stored.messages) {
    if (message.version <= copy.base && message.seq < copy.firstSeq) continue
    const own = copy.messages.get(message.id)
    if (own?.version !== message.version)
      report('folded', c, `has ${message.id} at ${own?.version}, Postgres at ${message.version}`)
  }
  for (const { id, version } of stored.segments)
    if (version > copy.base && copy.segments.get(id) !== version)
      report('folded', c, `has segment ${id} at ${copy.segments.get(id)}, Postgres at ${version}`)
  if (stored.selfVersion > copy.base && copy.title !== stored.title)
    report('folded', c, `has the title ${copy.title}, Postgres ${stored.title}`)
}

/** Checks that each stored turn was sent under its key, and that no turn is stored twice. */
function checkTurns({ producers, truth }: History, report: Report): void {
  const sent = new Map<string, Set<string>>()
  for (const { events } of producers)
    for (const event of events)
      if (event.kind === 'sent') {
        const names = sent.get(event.c) ?? new Set()
        sent.set(event.c, names.add(`${event.key} ${event.text}`))
      }
  for (const [c, { messages }] of truth) {
    const turns = Map.groupBy(messages, ({ turnId }) => turnId)
    const names = new Map<string, number>()
    for (const [first] of turns.values()) {
      if (first === undefined) continue
      const text = first.parts[0] ?? ''
      names.set(text, (names.get(text) ?? 0) + 1)
      if (sent.get(c)?.has(`${first.key} ${text}`) !== true)
        report('unfounded', c, `nobody sent the turn ${text}`)
    }
    for (const [text, count] of names)
      if (count > 1) report('doubled', c, `the turn ${text} is there ${count} times`)
  }
  const versions = new Map<string, string>()
  for (const { events } of producers)
    for (const event of events) {
      const name = versionName(event)
      if (name === undefined) continue
      const [at, what] = name
      const other = versions.get(at)
      if (other !== undefined && other !== what)
        report('doubled', event.c, `${what} and ${other} took the same version`)
      versions.set(at, what)
    }
}

/**
 * The version that a write took, and its name. Audio is left out: a retry of it may get a later
 * version.
 */
function versionName(event: ProducerEvent): [string, string] | undefined {
  if (event.kind === 'recorded') return [`${event.c} ${event.version}`, `turn ${event.key}`]
  if (event.kind === 'changed' && event.change.what === 'segment')
    return [`${event.c} ${event.version}`, `segment ${event.change.id}`]
  return undefined
}

function checkProducer({ events }: ProducerHistory, truth: Truth, report: Report): void {
  const first = new Map<string, Extract<ProducerEvent, { kind: 'recorded' }>>()
  const titles = new Map<string, Set<string>>()
  /** Titles that a given-up call may still set later. */
  const ghosts = new Map<string, Set<string>>()
  for (const event of events) {
    const { c } = event
    const stored = truth.get(c)
    if (stored === undefined) {
      report('lost', c, 'the conversation is not there')
      continue
    }
    if (event.kind === 'recorded') {
      const { key, ids, version } = event
      const before = first.get(`${c} ${key}`)
      if (before !== undefined && (before.version !== version || before.ids.join() !== ids.join()))
        report('doubled', c, `${key} was acknowledged as ${before.ids.join()} and as ${ids.join()}`)
      if (before !== undefined && !event.replayed)
        report('doubled', c, `${key} was acknowledged twice as new`)
      first.set(`${c} ${key}`, event)
      if (!stored.erased) checkAcknowledged(event, stored, report)
    } else if (event.kind === 'refused') {
      if (!stored.erased) report('refused', c, `${event.key} was refused with ${event.code}`)
    } else if (event.kind === 'trying' || event.kind === 'changed') {
      const { change } = event
      if (change.what === 'title') {
        // A title tried after the last acknowledged one may have replaced it.
        const open = event.kind === 'changed' ? new Set(ghosts.get(c)) : titles.get(c)
        titles.set(c, (open ?? new Set([''])).add(change.title))
        if (event.kind === 'changed' && event.isUnsure)
          ghosts.set(c, new Set(ghosts.get(c)).add(change.title))
      }
      if (event.kind === 'trying') continue
      if (change.what === 'erasure') {
        if (!stored.erased) report('lost', c, 'the erasure')
      } else if (stored.erased) continue
      else if (change.what === 'segment') {
        if (!stored.segments.some(({ id }) => id === change.id))
          report('lost', c, `the segment ${change.id}`)
      } else if (change.what === 'audio') {
        const found = messagesById(stored).get(change.id)
        if (!Bun.deepEquals(found?.ttsAudioUrls, change.urls))
          report('lost', c, `the audio of ${change.id}`)
      }
      if (event.version > stored.version)
        report('unfounded', c, `${change.what} at ${event.version}, Postgres at ${stored.version}`)
    }
  }
  for (const [c, open] of titles) {
    const stored = truth.get(c)
    if (stored?.erased === false && !open.has(stored.title ?? ''))
      report('lost', c, `the title is ${stored.title}, and was acknowledged as ${[...open].join()}`)
  }
}

function checkAcknowledged(
  { c, key, ids, version }: Extract<ProducerEvent, { kind: 'recorded' }>,
  stored: TrueConversation,
  report: Report,
): void {
  const [humanId] = ids
  const found = ids.flatMap((id) => (id === null ? [] : [messagesById(stored).get(id)]))
  if (found.length === 0 || found.includes(undefined)) {
    report('lost', c, `the turn ${key} is not there`)
    return
  }
  if (found.some((message) => (message?.version ?? 0) < version))
    report('lost', c, `the turn ${key} was acknowledged as ${version} and stands below`)
  if (found[0]?.key !== key) report('lost', c, `the turn ${key} stands under ${found[0]?.key}`)
  // A human message never changes again.
  if (humanId !== null && found[0]?.version !== version)
    report('lost', c, `the turn ${key} took ${found[0]?.version}, acknowledged as ${version}`)
}

/**
 * The turns of each socket and conversation, in the order of their frames. A turn counts only if it
 * was recorded on the socket that sent it last: a turn that an earlier socket recorded has an
 * earlier position.
 */
function linesOf({ events }: ProducerHistory) {
  const sends = new Map<string, { socket: number | undefined; position: number }>()
  const lines = new Map<string, { position: number; version: number; key: string }[]>()
  for (const [position, event] of events.entries()) {
    if (event.kind === 'sent')
      sends.set(`${event.c} ${event.key}`, { socket: event.socket, position })
    if (event.kind !== 'recorded' || event.replayed) continue
    const send = sends.get(`${event.c} ${event.key}`)
    if (send?.socket === undefined) continue
    const line = `${event.c} ${send.socket}`
    const stored = lines.get(line) ?? []
    stored.push({ position: send.position, version: event.version, key: event.key })
    lines.set(line, stored)
  }
  return [...lines].map(([line, turns]) => ({
    c: line.split(' ')[0] ?? '',
    turns: turns.toSorted((one, other) => one.position - other.position),
  }))
}

/** How many turns follow another one of their socket and conversation. `fifo` is judged by them. */
export const orderedTurns = (history: ProducerHistory): number =>
  linesOf(history).reduce((count, { turns }) => count + turns.length - 1, 0)

function checkOrder(history: ProducerHistory, report: Report): void {
  for (const { c, turns } of linesOf(history)) {
    for (const [index, { version, key }] of turns.entries()) {
      const before = turns[index - 1]
      if (before !== undefined && before.version > version)
        report('fifo', c, `${key} was sent after ${before.key}`)
    }
  }
}

function checkTruth(
  { version, lastSeq, erased, messages, segments }: TrueConversation,
  report: (rule: Rule, what: string) => void,
): void {
  if (erased) {
    if (messages.length + segments.length > 0) report('database', 'an erased one has rows')
    return
  }
  if (messages.some(({ seq }, index) => seq !== index + 1) || lastSeq !== messages.length)
    report('database', 'seq is not dense')
  if ([...messages, ...segments].some((row) => row.version > version))
    report('database', 'a row lies above its conversation')
  for (const [at, rows] of Map.groupBy(messages, (message) => message.version))
    if (new Set(rows.map(({ turnId }) => turnId)).size > 1)
      report('database', `version ${at} touched two turns`)
}

/** A text with the number of violations of each rule, and the first eight of them. */
export function summary(violations: readonly Violation[]): string {
  const counts = [...Map.groupBy(violations, ({ rule }) => rule)].map(
    ([rule, all]) => `${rule} ${all.length}`,
  )
  const first = violations
    .slice(0, 8)
    .map(({ rule, who, c, what }) => `  ${rule}: ${who}, ${c}: ${what}`)
  return [counts.join(', '), ...first].join('\n')
}
