/**
 * Placeholders in the sources of functions. They stand for the fields of a message, so that no
 * source lists the fields itself:
 *
 * - `{{columns}}`: the names of the columns, for an INSERT or an UPDATE.
 * - `{{definitions}}`: the members of a turn with their types, for `jsonb_to_recordset`.
 * - `{{human t}}`, `{{assistant t}}`: the values for the columns of that half, from the record `t`.
 * - `{{either t}}`: the values for the human's message if `is_human` is true, otherwise for the
 *   assistant's.
 * - `{{human json p}}`, `{{assistant json p}}`: the values from the JSON object `p`, which may be
 *   NULL.
 */
import { type MessageField, type MessageHalf, messageFields } from './message-fields.ts'

const fields: [string, MessageField][] = Object.entries(messageFields)

const has = (half: MessageHalf, { of }: MessageField) => of === half || of === 'both'

const definitions = (['human', 'assistant'] as const).flatMap((half) =>
  fields.flatMap(([column, field]) =>
    has(half, field) ? [`${half}_${column} ${field.type}`] : [],
  ),
)

/**
 * The value of each column, which `read` takes by the member's name. Other columns are a typed
 * NULL.
 */
const valuesOf = (half: MessageHalf, read: (member: string, field: MessageField) => string) =>
  fields.map(([column, field]) =>
    has(half, field) ? read(`${half}_${column}`, field) : `NULL::${field.type}`,
  )

const eitherOf = (record: string) =>
  fields.map(([column, { of }]) => {
    const [human, assistant] = [`${record}.human_${column}`, `${record}.assistant_${column}`]
    if (of === 'human') return `CASE WHEN is_human THEN ${human} END`
    if (of === 'assistant') return `CASE WHEN NOT is_human THEN ${assistant} END`
    return `CASE WHEN is_human THEN ${human} ELSE ${assistant} END`
  })

function fromJson(object: string, member: string, { type }: MessageField): string {
  if (type === 'text') return `${object} ->> '${member}'`
  if (type === 'jsonb') return `${object} -> '${member}'`
  if (type === 'text[]') return `turnlog_texts_v1(${object} -> '${member}')`
  return `(${object} ->> '${member}')::${type}`
}

function listFor(placeholder: string): string[] {
  const [name = '', form = '', object = ''] = placeholder.split(' ')
  switch (name) {
    case 'columns':
      return fields.map(([column]) => column)
    case 'definitions':
      return definitions
    case 'either':
      return eitherOf(form)
    case 'human':
    case 'assistant':
      return valuesOf(name, (member, field) =>
        form === 'json' ? fromJson(object, member, field) : `${form}.${member}`,
      )
    default:
      throw new Error(`{{${placeholder}}} is unknown: see drizzle/function-placeholders.ts`)
  }
}

const charactersMax = 120

/** Replaces each placeholder by its list. Lines that become too long are broken. */
export const expandPlaceholders = (text: string): string =>
  text
    .split('\n')
    .flatMap((line) => {
      const expanded = line.replace(/\{\{([^}]*)\}\}/g, (_, name: string) =>
        listFor(name).join(', '),
      )
      return expanded === line ? [line] : brokenLine(expanded)
    })
    .join('\n')

/** Breaks a long line between the items of its list. */
function brokenLine(line: string): string[] {
  const indent = /^ */.exec(line)?.[0] ?? ''
  const lines: string[] = []
  let rest = line
  while (rest.length > charactersMax) {
    const at = rest.lastIndexOf(', ', charactersMax - 1)
    if (at <= indent.length) break
    lines.push(rest.slice(0, at + 1))
    rest = `${indent}${rest.slice(at + 2)}`
  }
  return [...lines, rest]
}
