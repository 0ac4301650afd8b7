/** One conversation, several, or all of them, as lines, in constant memory. */
import type { Rest } from '../../client/client.ts'
import type { Conversation } from '../../conversation/wire/schemas.ts'
import type { Progress } from '../progress.ts'
import { type Refusal, refusalOf } from '../service-client.ts'
import { conversationLines, type Opened, openConversation } from './conversation-export.ts'
import { everyConversation } from './conversation-list.ts'
import type { Output } from './output.ts'

/** How many conversations are asked for while one is written. */
const ahead = 4

export type Exported = {
  readonly conversations: number
  readonly messages: number
  /** Conversations that were erased while the export ran, and are not in it. */
  readonly erased: readonly string[]
  /** Erased ones of which a part had left already; an `erased` line follows it. */
  readonly withdrawn: readonly string[]
  /** Ids that were asked for and are not there: the id and why. */
  readonly missing: readonly (readonly [string, string])[]
}

type Wanted = { readonly id: string; readonly known?: Conversation }
type Coming = { readonly id: string; readonly opened: Promise<Opened | Refusal> }

/** `ids` undefined: every conversation that is there when the export begins. */
export async function exportConversations(
  rest: Rest,
  ids: readonly string[] | undefined,
  output: Output,
  progress: Progress,
): Promise<Exported> {
  const writer = new ExportWriter(rest, output, progress, ids === undefined)
  const coming: Coming[] = []
  for await (const { id, known } of wantedOf(rest, ids)) {
    coming.push({ id, opened: opening(rest, id, known) })
    const first = coming.length > ahead ? coming.shift() : undefined
    if (first !== undefined) await writer.write(first)
  }
  for (const one of coming) await writer.write(one)
  return writer.exported()
}

async function* wantedOf(rest: Rest, ids: readonly string[] | undefined): AsyncGenerator<Wanted> {
  if (ids === undefined)
    for await (const known of everyConversation(rest)) yield { id: known.id, known }
  else for (const id of ids) yield { id }
}

/** Resolves with a refusal: until its turn to be written, nobody awaits it. */
function opening(rest: Rest, id: string, known?: Conversation): Promise<Opened | Refusal> {
  const opened = openConversation(rest, id, known).catch((error: unknown) => {
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

  async write({ id, opened }: Coming): Promise<void> {
    const found = await opened
    if ('code' in found) {
      if (this.#isOfAll && found.code === 'conversation-erased') this.#erased.push(id)
      else this.#missing.push([id, found.message])
      return
    }
    const begin = this.#output.position()
    const before = this.#messages
    for await (const line of conversationLines(this.#rest, found)) {
      if (line.type === 'erased') {
        this.#erased.push(id)
        this.#messages = before
        if (await this.#output.cut(begin)) return
        this.#withdrawn.push(id)
      }
      await this.#output.write(`${JSON.stringify(line)}\n`)
      if (line.type === 'turn' || line.type === 'half') {
        this.#messages += line.type === 'turn' ? line.messages.length : 1
        this.#say()
      }
    }
    if (this.#withdrawn.at(-1) !== id) this.#conversations += 1
    this.#say()
  }

  #say(): void {
    const conversations = counted(this.#conversations, 'conversation')
    this.#progress.update(undefined, `${conversations}, ${counted(this.#messages, 'message')}`)
  }
}

/** `1 message`, `2,000 messages`. */
export const counted = (n: number, what: string): string =>
  `${n.toLocaleString('en')} ${what}${n === 1 ? '' : 's'}`
