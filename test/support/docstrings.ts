/** Docstrings of TypeScript sources: what each declaration and each member of a type says about itself. */
import { readFileSync } from 'node:fs'
import { type Comment, parseSync } from 'oxc-parser'

export type Docstring = {
  readonly text: string
  readonly params: readonly { readonly name: string; readonly text: string }[]
  readonly returns: string | undefined
  /** Problem codes, and when they are thrown. */
  readonly throws: readonly { readonly codes: readonly string[]; readonly text: string }[]
  readonly fallback: string | undefined
  readonly example: string | undefined
}

export type Member = {
  readonly name: string
  readonly doc: Docstring
  /** The parameters' names, if the member is a function. */
  readonly params: readonly string[] | undefined
  /** The source of the function's signature, or of the value's type. */
  readonly source: string
  readonly isOptional: boolean
}

export type Declaration = {
  readonly name: string
  readonly doc: Docstring
  readonly params: readonly string[] | undefined
  /** The source of the function's signature, or of the type. */
  readonly source: string
  readonly members: readonly Member[]
  /** Names of the types that an intersection is made of. */
  readonly bases: readonly string[]
}

/** The part of a syntax tree that is read here. */
type Node = {
  readonly type: string
  readonly start: number
  readonly end: number
  readonly [member: string]: unknown
}

const isNode = (value: unknown): value is Node =>
  typeof value === 'object' && value !== null && 'type' in value && 'start' in value
const nodes = (value: unknown): readonly Node[] =>
  Array.isArray(value) ? value.filter(isNode) : []
const nameOf = (value: unknown) =>
  isNode(value) && typeof value['name'] === 'string' ? value['name'] : ''

/** The exported types and functions of a source. */
export function declarationsOf(path: string): Declaration[] {
  const text = readFileSync(path, 'utf8')
  const { program, comments, errors } = parseSync(path, text)
  if (errors.length > 0) throw new Error(`${path}: ${errors[0]?.message}`)
  const source = new Source(text, comments)
  return nodes(program.body).flatMap((statement): Declaration[] => {
    const declared = statement['declaration']
    if (statement.type !== 'ExportNamedDeclaration' || !isNode(declared)) return []
    const name = nameOf(declared['id'])
    const doc = source.docBefore(statement)
    if (declared.type === 'FunctionDeclaration') {
      const body = declared['body']
      const end = isNode(body) ? body.start : declared.end
      const signature = text.slice(declared.start, end).replace(/^(async )?function /, '')
      const params = nodes(declared['params']).map(paramName)
      return [{ name, doc, params, source: signature.trim(), members: [], bases: [] }]
    }
    const type = declared['typeAnnotation']
    if (declared.type !== 'TSTypeAliasDeclaration' || !isNode(type)) return []
    const parts = type.type === 'TSIntersectionType' ? nodes(type['types']) : [type]
    return [
      {
        name,
        doc,
        params: undefined,
        source: text.slice(type.start, type.end),
        members: parts.flatMap((part) => nodes(part['members']).map((each) => source.member(each))),
        bases: parts.map((part) => nameOf(part['typeName'])).filter((base) => base !== ''),
      },
    ]
  })
}

class Source {
  readonly #text: string
  readonly #comments: readonly Comment[]

  constructor(text: string, comments: readonly Comment[]) {
    this.#text = text
    this.#comments = comments
  }

  /** The docstring that ends directly before a node. */
  docBefore({ start }: Node): Docstring {
    const comment = this.#comments.findLast(
      ({ type, value, end }) => type === 'Block' && value.startsWith('*') && end <= start,
    )
    const isDirect = /^\s*$/.test(this.#text.slice(comment?.end, start))
    return docstringOf(isDirect ? (comment?.value ?? '') : '')
  }

  member(node: Node): Member {
    const isFunction = node.type === 'TSMethodSignature'
    const type = node['typeAnnotation']
    return {
      name: nameOf(node['key']),
      doc: this.docBefore(node),
      params: isFunction ? nodes(node['params']).map(paramName) : undefined,
      source:
        isFunction || !isNode(type)
          ? this.#text.slice(node.start, node.end).replaceAll('\n  ', '\n')
          : this.#text.slice(type.start, type.end).replace(/^:\s*/, ''),
      isOptional: node['optional'] === true,
    }
  }
}

/** A parameter's name, or `options` for a destructured one with a default. */
function paramName(node: Node): string {
  return nameOf(node) || nameOf(node['left']) || 'options'
}

/** The tags of a docstring. A list item or an empty line starts a paragraph; other lines are joined. */
export function docstringOf(comment: string): Docstring {
  const lines = comment
    .replace(/^\*/, '')
    .split('\n')
    .map((line) => line.replace(/^\s*\* ?/, '').trimEnd())
  const tags: { readonly tag: string; readonly lines: string[] }[] = [{ tag: '', lines: [] }]
  for (const line of lines) {
    const [, tag, rest = ''] = /^@(\w+) ?(.*)$/.exec(line.trim()) ?? []
    if (tag !== undefined) tags.push({ tag, lines: rest === '' ? [] : [rest] })
    else tags.at(-1)?.lines.push(line)
  }
  const of = (tag: string) => tags.filter((each) => each.tag === tag)
  const prose = (tag: string) => of(tag).map((each) => paragraphs(each.lines))
  return {
    text: prose('')[0] ?? '',
    params: prose('param').map((text) => {
      const [, name = '', rest = ''] = /^(\S+) ([\s\S]*)$/.exec(text) ?? []
      return { name, text: rest }
    }),
    returns: prose('returns')[0],
    throws: prose('throws').map((text) => {
      const [, codes = '', rest = ''] = /^(`[a-z-]+`(?:, `[a-z-]+`)*) ([\s\S]*)$/.exec(text) ?? []
      return { codes: [...codes.matchAll(/[a-z-]+/g)].map(([code]) => code), text: rest }
    }),
    fallback: prose('default')[0],
    example: of('example')[0]?.lines.join('\n').trim(),
  }
}

const paragraphs = (lines: readonly string[]) =>
  lines
    .map((line) => line.trim())
    .join('\n')
    .trim()
    .replaceAll(/(?<!\n)\n(?!\n|- )/g, ' ')
