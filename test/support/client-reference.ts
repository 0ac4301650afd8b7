/** The reference page of the client, made from the docstrings of its sources. */
import { join } from 'node:path'
import { Glob } from 'bun'
import { type Declaration, type Docstring, declarationsOf, type Member } from './docstrings.ts'

const root = join(import.meta.dir, '../..')

/** The names that the examples use, as the page shows them. */
export const setup = `import { createClient, createConversationState, createMemoryJournal } from 'turnlog/client'
import { openFileJournal } from 'turnlog/client/file-journal'

const url = 'http://localhost:3000'
await using client = createClient({ url })
const { id } = await client.createConversation()
const recorded = await client.recordTurn(id, {
  user: { text: 'Is there a table?' },
  assistant: { responses: ['At eight.', 'For two?'] },
})
const messageId = recorded?.assistantMessageId ?? ''
const voice = client.voice(id)
await voice.started`

type Section = {
  readonly title: string
  readonly intro?: string
  /** Functions that the module exports. */
  readonly functions?: readonly string[]
  /** The type whose members are functions, and the name of the object that has them. */
  readonly api?: readonly [type: string, object: string]
  readonly types?: readonly string[]
}

const sections: readonly Section[] = [
  { title: 'Making a client', functions: ['createClient'], types: ['ClientOptions'] },
  {
    title: 'REST calls',
    intro: 'Rest',
    types: ['CallOptions', 'PageOptions', 'Freshness', 'ReadOptions', 'Retry'],
  },
  {
    title: 'Conversations',
    api: ['ConversationApi', 'client'],
    types: ['MessageOptions', 'HistoryOptions'],
  },
  { title: 'Turns', api: ['TurnApi', 'client'] },
  { title: 'Segments and audio', api: ['AudioApi', 'client'] },
  { title: 'Voice sessions', api: ['VoiceSessionApi', 'client'] },
  { title: 'Health', api: ['ServiceApi', 'client'] },
  {
    title: 'Following and recording over the WebSocket',
    api: ['SocketApi', 'client'],
    types: [
      'LiveOptions',
      'LiveStart',
      'LiveEvent',
      'Role',
      'ConnectionState',
      'Recorded',
      'Attached',
      'Written',
    ],
  },
  {
    title: 'Speaking as a voice agent',
    intro: 'Voice',
    api: ['SpeechApi', 'voice'],
    types: ['VoiceOptions', 'SpokenHalves', 'PartAudio', 'Opened', 'Completed', 'Interrupted'],
  },
  {
    title: 'The state of a conversation',
    functions: ['createConversationState'],
    api: ['ConversationFoldApi', 'state'],
    types: ['ConversationState'],
  },
  {
    title: 'Journals',
    intro: 'Journal',
    functions: ['createMemoryJournal', 'openFileJournal'],
    api: ['JournalApi', 'journal'],
    types: ['JournalBounds', 'FileJournalOptions', 'JournalEntry', 'TurnEntry', 'SpeechEntry'],
  },
]

const declarations = new Map(
  [...new Glob('src/client/**/*.ts').scanSync(root)]
    .sort()
    .flatMap((path) => declarationsOf(join(root, path)))
    .map((declaration) => [declaration.name, declaration]),
)

function declared(name: string): Declaration {
  const declaration = declarations.get(name)
  if (declaration === undefined) throw new Error(`src/client exports no ${name}`)
  return declaration
}

/** A function of the page: its heading, and its docstring. */
export type Documented = Pick<Member, 'doc' | 'params' | 'source'> & { readonly title: string }

function functionsOf({ functions = [], api }: Section): Documented[] {
  const exported = functions.map((name) => ({ ...declared(name), title: name }))
  if (api === undefined) return exported
  const [type, object] = api
  const members = declared(type).members.filter(({ params }) => params !== undefined)
  return [...exported, ...members.map((each) => ({ ...each, title: `${object}.${each.name}` }))]
}

export const documentedFunctions = sections.flatMap(functionsOf)

/** The types and functions that have a heading or an introduction on the page. */
export const documentedNames = new Set(
  sections.flatMap(({ functions = [], types = [], intro }) => [
    ...functions,
    ...types,
    ...(intro === undefined ? [] : [intro]),
  ]),
)

/** The values and options that have a row on the page, with their docstrings. */
export const documentedValues = sections.flatMap(({ types = [], api }) =>
  [...types, ...(api === undefined ? [] : [api[0]])].flatMap((type) =>
    declared(type)
      .members.filter(({ params }) => params === undefined)
      .map(({ name, doc }) => ({ name: `${type}.${name}`, doc })),
  ),
)

/** The problem codes that every REST call can reject with. */
export const commonCodes = declared('Rest').doc.throws.flatMap(({ codes }) => codes)

const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 -]/g, '')
    .replaceAll(' ', '-')

/** Links to the types of a signature that have a heading. */
function typeLinks(source: string): string {
  const names = [...documentedNames].filter(
    (name) =>
      declarations.get(name)?.params === undefined && new RegExp(`\\b${name}\\b`).test(source),
  )
  const links = names.map((name) => `[${name}](#${anchorOf(introTitle(name) ?? name)})`)
  return links.length === 0 ? '' : `\nTypes: ${links.join(', ')}.\n`
}

const introTitle = (name: string) => sections.find(({ intro }) => intro === name)?.title

const cell = (text: string) => text.replaceAll('\n', ' ').replaceAll('|', '\\|')

function problemTable({ throws }: Docstring): string {
  if (throws.length === 0) return ''
  const rows = throws.map(
    ({ codes, text }) => `| ${codes.map((code) => `\`${code}\``).join(', ')} | ${cell(text)} |\n`,
  )
  return `\n| problem | when |\n| --- | --- |\n${rows.join('')}`
}

function functionText({ title, source, doc }: Documented): string {
  const params = doc.params.map(({ name, text }) => `- \`${name}\`: ${text}\n`).join('')
  const returns = doc.returns === undefined ? '' : `- Returns: ${doc.returns}\n`
  return [
    `### ${title}\n\n`,
    `\`\`\`ts\n${source}\n\`\`\`\n\n${doc.text}\n`,
    params + returns === '' ? '' : `\n${params}${returns}`,
    typeLinks(source),
    problemTable(doc),
    doc.example === undefined ? '' : `\n\`\`\`ts\n${doc.example}\n\`\`\`\n`,
  ].join('')
}

function typeText(name: string): string {
  const { doc, members, bases, source } = declared(name)
  const extended = bases.filter((base) => documentedNames.has(base))
  const inherited =
    extended.length === 0
      ? ''
      : `\nIt also has the members of ${extended.map((base) => `[${base}](#${anchorOf(base)})`).join(' and ')}.\n`
  const isUnion = members.length === 0 && source.includes('|')
  const union = isUnion
    ? `\n\`\`\`ts\ntype ${name} = ${source.replace(/^\s*\| /, '')}\n\`\`\`\n`
    : ''
  return `### ${name}\n\n${doc.text}\n${inherited}${memberTable(members)}${union}`
}

/** The members that are values. The column of defaults is left out if no member is optional. */
function memberTable(members: readonly Member[]): string {
  const values = members.filter(({ params }) => params === undefined)
  if (values.length === 0) return ''
  const hasDefaults = values.some(({ isOptional }) => isOptional)
  const rows = values.map(({ name, source, doc, isOptional }) => {
    const fallback = doc.fallback ?? (isOptional ? '' : 'required')
    const cells = [
      `\`${name}\``,
      `\`${cell(source)}\``,
      ...(hasDefaults ? [fallback] : []),
      doc.text,
    ]
    return `| ${cells.map((text, n) => (n === 1 ? text : cell(text))).join(' | ')} |\n`
  })
  const heads = ['member', 'type', ...(hasDefaults ? ['default'] : []), 'meaning']
  const line = heads.map(() => '---').join(' | ')
  return `\n| ${heads.join(' | ')} |\n| ${line} |\n${rows.join('')}`
}

function sectionText(section: Section): string {
  const { title, intro, api, types = [] } = section
  const introduced = intro === undefined ? undefined : declared(intro).doc
  const values = api === undefined ? '' : memberTable(declared(api[0]).members)
  return [
    `## ${title}\n`,
    introduced === undefined ? '' : `${introduced.text}\n${values}${problemTable(introduced)}`,
    ...functionsOf(section).map(functionText),
    ...types.map(typeText),
  ]
    .filter((text) => text !== '')
    .join('\n')
}

function contents(): string {
  const rows = sections.map((section) => {
    const links = functionsOf(section).map(({ title }) => `[${title}](#${anchorOf(title)})`)
    return `| [${section.title}](#${anchorOf(section.title)}) | ${links.join(', ')} |\n`
  })
  return `| topic | functions |\n| --- | --- |\n${rows.join('')}`
}

/** The page docs/client-reference.md. */
export function clientReference(): string {
  return `# Reference of the client

For TypeScript developers. Every function of \`turnlog/client\` and \`turnlog/client/file-journal\`. [The client](client.md) shows how to use them
together. The docstrings in \`src/client\` generate this page. The types of bodies and answers that it does not list,
such as \`Conversation\` and \`Message\`, are those of the OpenAPI document.

${contents()}
Every example runs after these lines:

\`\`\`ts
${setup}
\`\`\`

${sections.map(sectionText).join('\n')}`
}
