/** Exports some or all conversations as lines, in constant memory. */
import type { Rest } from '../../client/client.ts'
import type { Conversation } from '../../conversation/wire/schemas.ts'
import type { Progress } from '../progress.ts'
import { type Refusal, refusalOf } from '../service-client.ts'
import { conversationLines, type Opened, openConversation } from './conversation-export.ts'
import { everyConversation } from './conversation-list.ts'
import type { Output } from './output.ts'

/** Number of conversations that are requested while another one is written. */
const requestedAhead = 4

/** The result of an export. */
export type Exported = {
  readonly conversations: number
  readonly messages: number
  /** Ids of conversations that were erased during the export. They are not part of it. */
  readonly erased: readonly string[]
  /**
   * Erased conversations whose first lines had been sent already. An `erased` line follows those.
   */
  readonly withdrawn: readonly string[]
  /** Requested ids that could not be exported, each with the reason. */
  readonly missing: readonly (readonly [id: string, reason: string])[]
}

type Target = { readonly id: string; readonly listed?: Conversation }
type Pending = { readonly id: string; readonly opened: Promise<Opened | Refusal> }

/**
 * Exports the conversations with these ids, or every conversation that exists at the start if `ids`
 * is undefined. Throws the problem if the service cannot be reached.
 */
export async function exportConversations(
  rest: Rest,
  ids: readonly string[] | undefined,
  output: Output,
  progress: Progress,
): Promise<Exported> {
  const writer = new ExportWriter(rest, output, progress, ids === undefined)
  const pending: Pending[] = []
  for await (const { id, listed } of targetsOf(rest, ids)) {
    pending.push({ id, opened: openOrRefuse(rest, id, listed) })
    const first = pending.length > requestedAhead ? pending.shift() : undefined
    if (first !== undefined) await writer.write(first)
  }
  for (const one of pending) await writer.write(one)
  return writer.exported()
}

async function* targetsOf(rest: Rest, ids: readonly string[] | undefined): AsyncGenerator<Target> {
  if (ids === undefined)
    for await (const listed of everyConversation(rest)) yield { id: listed.id, listed }
  else for (const id of ids) yield { id }
}

/**
 * Opens a conversation, and resolves with a refusal instead of rejecting: the promise is awaited
 * much later.
 */
function openOrRefuse(rest: Rest, id: string, listed?: Conversation): Promise<Opened | Refusal> {
  const opened = openConversation(rest, id, listed).catch((error: unknown) => {
    const refusal = refusalOf(error)
    if (refusal !== undefined) return refusal
    throw error
  })
  opened.catch(() => {})
  return opened
}

class ExportWriter {
  readonly #rest: Rest
  readonly #output: Output
  readonly #progress: Progress
  readonly #isOfAll: boolean
  readonly #erased: string[] = []
  readonly #withdrawn: string[] = []
  readonly #missing: [string, string][] = []
  #conversations = 0
  #messages = 0

  constructor(rest: Rest, output: Output, progress: Progress, isOfAll: boolean) {
    this.#rest = rest
    this.#output = output
    this.#progress = progress
    this.#isOfAll = isOfAll
  }

  exported(): Exported {
    return {
      conversations: this.#conversations,
      messages: this.#messages,
      erased: this.#erased,
      withdrawn: this.#withdrawn,
      missing: this.#missing,
    }
  }

  /** Writes the lines of one conversation, or notes why it has none. */
  async write({ id, opened }: Pending): Promise<void> {
    const found = await opened
    if ('code' in found) {
      if (this.#isOfAll && found.code === 'conversation-erased') this.#erased.push(id)
      else this.#missing.push([id, found.message])
      return
    }
    const begin = this.#output.position()
    const messagesBefore = this.#messages
    for await (const line of conversationLines(this.#rest, found)) {
      if (line.type === 'erased') {
        this.#erased.push(id)
        this.#messages = messagesBefore
        if (await this.#output.cut(begin)) return
        this.#withdrawn.push(id)
      }
      await this.#output.write(`${JSON.stringify(line)}\n`)
      if (line.type === 'turn' || line.type === 'half') {
        this.#messages += line.type === 'turn' ? line.messages.length : 1
        this.#showProgress()
      }
    }
    if (this.#withdrawn.at(-1) !== id) this.#conversations += 1
    this.#showProgress()
  }

  #showProgress(): void {
    const conversations = counted(this.#conversations, 'conversation')
    this.#progress.update({
      share: undefined,
      text: `${conversations}, ${counted(this.#messages, 'message')}`,
      done: this.#messages,
      what: 'messages',
    })
  }
}

/** Prints a number with its noun: `1 message`, `2,000 messages`. */
export const counted = (n: number, what: string): string =>
  `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`
