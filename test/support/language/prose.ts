/** Prose of the project as sentences: comments, test titles, texts for people, and documents. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Glob } from 'bun'
import jsTokens, { type Token } from 'js-tokens'

export type Kind = 'comment' | 'title' | 'text' | 'document'

/** One sentence. `first`: it opens its comment or paragraph, so it may be a phrase that names a value. */
export type Sentence = {
  readonly path: string
  readonly line: number
  readonly kind: Kind
  readonly first: boolean
  readonly text: string
}

type Passage = Omit<Sentence, 'first'>

const globs = [
  ...['src', 'adapters', 'drizzle', 'test', 'bench', 'examples'].flatMap((folder) => [
    `${folder}/**/*.ts`,
    `${folder}/**/*.sql`,
    `${folder}/**/*.md`,
  ]),
  '*.md',
  'docs/**/*.md',
]

/** Files whose text is history, or is generated from texts that are read elsewhere. */
const unread = [
  'drizzle/migrations/',
  'drizzle/0',
  'test/fixtures/',
  // The patterns and their examples are what the guard looks for.
  'test/support/language/',
  'test/language.test.ts',
]

/** All sentences of the files below `root` whose path starts with one of `folders`. */
export function readSentences(root: string, folders: readonly string[] = ['']): Sentence[] {
  const isRead = (path: string) =>
    folders.some((folder) => path.startsWith(folder)) &&
    !unread.some((start) => path.startsWith(start)) &&
    !path.includes('node_modules')
  const paths = globs
    .flatMap((glob) => [...new Glob(glob).scanSync({ cwd: root })])
    .filter(isRead)
    .sort()
  return paths.flatMap((path) => sentencesOf(path, readFileSync(join(root, path), 'utf8')))
}

export function sentencesOf(path: string, content: string): Sentence[] {
  return passagesOf(path, content).flatMap((passage) =>
    splitSentences(passage.text).map((text, index) => ({ ...passage, text, first: index === 0 })),
  )
}

function passagesOf(path: string, content: string): Passage[] {
  if (path.endsWith('.md')) return documentPassages(path, content)
  if (path.endsWith('.sql')) return sqlPassages(path, content)
  return sourcePassages(path, content)
}

/** Test functions whose first argument is a title; `claim` is the one of the conformance suites. */
const titled = new Set(['test', 'it', 'claim'])
const members = new Set(['if', 'skipIf', 'todoIf', 'each', 'failing', 'serial', 'concurrent'])

function sourcePassages(path: string, content: string): Passage[] {
  const passages: Passage[] = []
  let line = 1
  let lineComments: Passage | undefined
  let previous: Token[] = []
  const isTest = path.startsWith('test/')
  for (const token of jsTokens(content)) {
    const { type, value } = token
    const at = { path, line }
    if (type === 'SingleLineComment') {
      const text = value.replace(/^\/\/\s?/, '')
      if (lineComments === undefined) lineComments = { ...at, kind: 'comment', text }
      else lineComments = { ...lineComments, text: `${lineComments.text}\n${text}` }
    } else if (type !== 'WhiteSpace' && type !== 'LineTerminatorSequence') {
      if (lineComments !== undefined) passages.push(lineComments)
      lineComments = undefined
      if (type === 'MultiLineComment') passages.push(...blockPassages(at, value))
      else {
        const text = literalText(token)
        if (text !== undefined && isTest && isTitle(previous))
          passages.push({ ...at, kind: 'title', text })
        else if (text !== undefined && !isTest && /^[A-Z].* .* .*\.$/s.test(text))
          passages.push({ ...at, kind: 'text', text })
        previous = [...previous.slice(-40), token]
      }
    }
    line += value.split('\n').length - 1
  }
  if (lineComments !== undefined) passages.push(lineComments)
  return passages
}

/** The text of a string or of a template up to its first value. */
function literalText({ type, value }: Token): string | undefined {
  if (type === 'StringLiteral') return value.slice(1, -1).replaceAll("\\'", "'")
  if (type === 'NoSubstitutionTemplate') return value.slice(1, -1)
  if (type === 'TemplateHead') return `${value.slice(1, -2)}X`
  return undefined
}

/** Whether the tokens before a literal are `test(`, `test.if(…)(` or the like. */
function isTitle(previous: readonly Token[]): boolean {
  const values = previous.map(({ value }) => value)
  if (values.pop() !== '(') return false
  if (values.at(-1) === ')') {
    let depth = 0
    do {
      const value = values.pop()
      if (value === ')') depth += 1
      if (value === '(') depth -= 1
      if (value === undefined) return false
    } while (depth > 0)
  }
  let name = values.pop() ?? ''
  if (members.has(name) && values.pop() === '.') name = values.pop() ?? ''
  return titled.has(name) && values.at(-1) !== 'function' && values.at(-1) !== '.'
}

/** A block comment, without its stars; each tag starts a passage of its own, and examples are code. */
function blockPassages({ path, line }: { path: string; line: number }, value: string): Passage[] {
  const lines = value
    .replace(/^\/\*\*?/, '')
    .replace(/\*\/$/, '')
    .split('\n')
    .map((each) => each.replace(/^\s*\*? ?/, ''))
  const passages: Passage[] = []
  let isCode = false
  let text: string[] = []
  let start = line
  const push = () => {
    if (text.join('').trim() !== '')
      passages.push({ path, line: start, kind: 'comment', text: text.join('\n').trim() })
    text = []
  }
  for (const [index, each] of lines.entries()) {
    if (each.startsWith('```')) isCode = !isCode
    else if (isCode || /^\s{4,}\S/.test(each)) continue
    else if (/^@|^\s*$|^\s*- /.test(each)) {
      push()
      start = line + index
      const isProse = !/^@(default|example|see|type|link)/.test(each)
      if (isProse) text.push(each.replace(/^\s*(- |@(param \S+|\w+) ?)/, '').replace(/^- /, ''))
    } else text.push(each)
  }
  push()
  return passages
}

function sqlPassages(path: string, content: string): Passage[] {
  const passages: Passage[] = []
  for (const [index, each] of content.split('\n').entries()) {
    const comment = /^\s*--\s?(.*)$/.exec(each)?.[1]
    const last = passages.at(-1)
    if (comment === undefined) continue
    if (last !== undefined && last.line + last.text.split('\n').length === index + 1)
      passages[passages.length - 1] = { ...last, text: `${last.text}\n${comment}` }
    else passages.push({ path, line: index + 1, kind: 'comment', text: comment })
  }
  return passages
}

/** Paragraphs, list items and table cells; headings are names, and code is no prose. */
function documentPassages(path: string, content: string): Passage[] {
  const passages: Passage[] = []
  let isCode = false
  let paragraph: Passage | undefined
  const push = () => {
    if (paragraph !== undefined) passages.push(paragraph)
    paragraph = undefined
  }
  for (const [index, each] of content.split('\n').entries()) {
    const at = { path, line: index + 1, kind: 'document' as const }
    if (/^\s*```/.test(each)) {
      isCode = !isCode
      push()
    } else if (isCode || /^\s*(#|<!--|\|?\s*-{3}|$)/.test(each) || /^ {4,}\S/.test(each)) push()
    else if (each.startsWith('|')) {
      push()
      for (const cell of each.split('|')) passages.push({ ...at, text: cell.trim() })
    } else if (/^\s*([-*]|\d+\.) /.test(each)) {
      push()
      paragraph = { ...at, text: each.replace(/^\s*([-*]|\d+\.) /, '') }
    } else if (paragraph === undefined) paragraph = { ...at, text: each }
    else paragraph = { ...paragraph, text: `${paragraph.text}\n${each.trim()}` }
  }
  push()
  return passages.filter(({ text }) => text !== '')
}

/** Sentences of a passage: code and link targets are left out, since they are not prose. */
function splitSentences(text: string): string[] {
  return text
    .replaceAll(/`[^`]*`/g, 'X')
    .replaceAll(/\]\([^)]*\)/g, ']')
    .replaceAll(/\s+/g, ' ')
    .replaceAll(/\b(e\.g|i\.e|etc|vs)\./g, '$1')
    .split(/(?<=[.!?][)"*']*)\s+(?=["(*]*[A-Z0-9])/)
    .map((each) => each.replaceAll(/[*[\]]/g, '').trim())
    .filter((each) => each !== '')
}
