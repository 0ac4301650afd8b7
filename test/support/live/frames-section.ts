/**
 * The part of docs/PROTOCOL.md that lists the frames of one side, made from their schemas and
 * examples.
 */
import type { TSchema } from 'typebox'

type Field = Readonly<Record<string, unknown>> & { readonly description?: string }

/** The maximum number of columns of a line of JSON. */
const columnsMax = 120

/** Fields that mean the same in each frame: described once, and only listed in the frames. */
const commonFields = ['id', 'c', 'version', 'cursor']

/** The descriptions of the common fields, as a frame that has all of them gives them. */
export function commonSection(frame: TSchema): string {
  const { properties } = frame as unknown as { properties: Record<string, Field> }
  const rows = commonFields.map((name) => `- \`${name}\`: ${properties[name]?.description}\n`)
  return `\nFields of many frames:\n\n${rows.join('')}`
}

/** A heading for the side, and for each frame its description, its example and its fields. */
export function framesSection(
  title: string,
  frames: Readonly<Record<string, TSchema>>,
  examples: object,
): string {
  const byType = new Map(Object.entries(examples))
  const parts = Object.entries(frames).map(([t, schema]) => {
    const { description, properties, required } = schema as unknown as {
      description: string
      properties: Record<string, Field>
      required: string[]
    }
    const rows = Object.entries(properties)
      .filter(([name]) => name !== 't')
      .map(([name, field]) => {
        const optional = required.includes(name) ? '' : ', optional'
        const { description: text } = field
        const about = text === undefined || commonFields.includes(name) ? '' : `: ${text}`
        return `- \`${name}\` (${typeOf(field)}${optional})${about}\n`
      })
    const fields = rows.length > 0 ? `${rows.join('')}\n` : ''
    const json = `\`\`\`json\n${printed(byType.get(t), '')}\n\`\`\``
    return `#### ${t}\n\n${description}\n\n${json}\n\n${fields}`
  })
  return `\n### ${title}\n\n${parts.join('')}`
}

function typeOf(field: Record<string, unknown>): string {
  const { type, anyOf, enum: values } = field
  if (typeof field['const'] === 'string') return `"${field['const']}"`
  if (field['const'] === true) return 'true'
  if (Array.isArray(anyOf)) return anyOf.map((one) => typeOf(one)).join(' or ')
  if (Array.isArray(values)) return values.join(' or ')
  if (type === 'array') return 'list'
  return type === 'string' && field['format'] === 'uuid' ? 'UUID' : String(type)
}

/** JSON with as many members on a line as fit, so that a long frame takes few lines. */
function printed(value: unknown, indent: string): string {
  const line = onOneLine(value)
  if (typeof value !== 'object' || value === null || fits(indent + line)) return line
  const inner = `${indent}  `
  const members = membersOf(value, (member) => printed(member, inner))
  const lines: string[] = []
  for (const [index, member] of members.entries()) {
    const piece = index < members.length - 1 ? `${member},` : member
    const joined = `${lines.at(-1) ?? ''} ${piece}`
    if (lines.length > 0 && fits(inner + joined) && !joined.includes('\n'))
      lines[lines.length - 1] = joined
    else lines.push(piece)
  }
  const [open, close] = bracketsOf(value)
  return [open, ...lines.map((each) => inner + each), indent + close].join('\n')
}

function onOneLine(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const [open, close] = bracketsOf(value)
  return `${open}${membersOf(value, onOneLine).join(', ')}${close}`
}

const bracketsOf = (value: object) => (Array.isArray(value) ? ['[', ']'] : ['{', '}'])

const membersOf = (value: object, print: (member: unknown) => string): string[] =>
  Object.entries(value).map(([name, member]) =>
    Array.isArray(value) ? print(member) : `${JSON.stringify(name)}: ${print(member)}`,
  )

const fits = (line: string) => line.length <= columnsMax
