/** The formats that an import reads. */

import { chatgptIds, isChatgpt, readChatgpt } from './chat/chatgpt.ts'
import { geminiIds, isGemini, readGemini } from './chat/gemini.ts'
import { isLangchain, langchainIds, readLangchain } from './chat/langchain.ts'
import { isLibrechat, librechatIds, readLibrechat } from './chat/librechat.ts'
import { isLivekit, livekitIds, readLivekit } from './chat/livekit.ts'
import { isOpenWebui, openWebuiIds, readOpenWebui } from './chat/open-webui.ts'
import { isSharegpt, readSharegpt, sharegptIds } from './chat/sharegpt.ts'
import { isUiMessages, readUiMessages, uiMessageIds } from './chat/ui-messages.ts'
import { dialogueIds, isDialogue, readDialogue } from './dialogues.ts'
import { isExportLine } from './export-format.ts'
import { readExportLine } from './export-steps.ts'
import { isOpenai, openaiIds, readOpenai } from './openai.ts'
import type { Block, LineContext } from './steps.ts'

export const formatNames = [
  'turnlog',
  'chatgpt',
  'langchain',
  'ai-sdk',
  'gemini',
  'librechat',
  'open-webui',
  'livekit',
  'sharegpt',
  'openai',
  'dialogues',
] as const
export type FormatName = (typeof formatNames)[number]

export type Format = {
  readonly name: FormatName
  /** Whether a document is meant as one of this format, even if it is not valid. */
  readonly claims: (document: unknown) => boolean
  /**
   * The members of a document that may hold its id, as paths with `/`. Empty if a line is not a whole
   * conversation.
   */
  readonly ids: readonly string[]
  /** Throws a `LineProblem` for a document that is not valid. */
  readonly read: (document: unknown, context: LineContext) => Block
}

/** The first format that claims a document reads it: `openai` is last of those with `messages`. */
const formats: readonly Format[] = [
  { name: 'turnlog', claims: isExportLine, ids: [], read: readExportLine },
  { name: 'chatgpt', claims: isChatgpt, ids: chatgptIds, read: readChatgpt },
  { name: 'langchain', claims: isLangchain, ids: langchainIds, read: readLangchain },
  { name: 'ai-sdk', claims: isUiMessages, ids: uiMessageIds, read: readUiMessages },
  { name: 'gemini', claims: isGemini, ids: geminiIds, read: readGemini },
  { name: 'librechat', claims: isLibrechat, ids: librechatIds, read: readLibrechat },
  { name: 'open-webui', claims: isOpenWebui, ids: openWebuiIds, read: readOpenWebui },
  { name: 'livekit', claims: isLivekit, ids: livekitIds, read: readLivekit },
  { name: 'sharegpt', claims: isSharegpt, ids: sharegptIds, read: readSharegpt },
  { name: 'openai', claims: isOpenai, ids: openaiIds, read: readOpenai },
  { name: 'dialogues', claims: isDialogue, ids: dialogueIds, read: readDialogue },
]

/** Returns the format that claims a document, or undefined if none does. */
export const formatOf = (document: unknown): Format | undefined =>
  formats.find(({ claims }) => claims(document))

export const formatNamed = (name: string): Format | undefined =>
  formats.find((format) => format.name === name)

/** Whether a value is one message: a list of messages is one conversation. */
export const isMessage = (value: unknown): boolean =>
  formatOf(value) === undefined && formatOf([value]) !== undefined
