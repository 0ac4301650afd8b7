/**
 * The catalog of Turnlog's tables and functions in a database, and its differences from the
 * expected one.
 */
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Ask } from './ask.ts'

/**
 * The definition of each object by its kind and name, such as `index messages_by_key`. The
 * definition of a function is the SHA-256 of its text.
 */
export type Catalog = Readonly<Record<string, string>>

/**
 * Reads the definitions of `tables`, of their columns, constraints, indexes and triggers, and of
 * every function whose name begins with `turnlog_`. Definitions leave out the schema, because the
 * tables may be in any. Constraints of kind `n` are left out, too: they are Postgres 18's NOT NULL
 * constraints, and the columns state NOT NULL in every version.
 */
const catalogQuery = (tables: readonly string[]) => `
  with schema_of_ours as (
    select n.oid, quote_ident(n.nspname) || '.' as prefix
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.oid = to_regclass('turnlog_migrations')
  ), ours as (
    select c.oid, c.relname::text as name, c.relpersistence, c.relrowsecurity, schema_of_ours.prefix
    from pg_class c join schema_of_ours on schema_of_ours.oid = c.relnamespace
    where c.relkind in ('r', 'p') and c.relname in (${tables.map((name) => `'${name}'`).join(', ')})
  ), entries as (
    select 'table' as kind, name, prefix,
      case relpersistence when 'p' then 'logged' else 'unlogged' end
        || case when relrowsecurity then ', with row security' else '' end as definition
    from ours
    union all
    select 'column', name || '.' || a.attname, prefix, format_type(a.atttypid, a.atttypmod)
      || case when a.attnotnull then ' not null' else '' end
      || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '')
      || case when a.attidentity <> '' then ' identity' else '' end
    from ours join pg_attribute a on a.attrelid = ours.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
    union all
    select 'constraint', name || '.' || c.conname, prefix, pg_get_constraintdef(c.oid)
    from ours join pg_constraint c on c.conrelid = ours.oid and c.contype not in ('n', 't')
    union all
    select 'index', i.relname::text, prefix, pg_get_indexdef(x.indexrelid)
      || case when x.indisvalid and x.indisready then '' else ' (invalid)' end
    from ours join pg_index x on x.indrelid = ours.oid join pg_class i on i.oid = x.indexrelid
    union all
    select 'trigger', name || '.' || t.tgname, prefix, pg_get_triggerdef(t.oid)
      || case when t.tgenabled in ('O', 'A') then '' else ' (disabled)' end
    from ours join pg_trigger t on t.tgrelid = ours.oid and not t.tgisinternal
    union all
    select 'function', p.proname || '(' || oidvectortypes(p.proargtypes) || ')',
      schema_of_ours.prefix, pg_get_functiondef(p.oid)
    from schema_of_ours join pg_proc p on p.pronamespace = schema_of_ours.oid
    where p.prokind in ('f', 'p') and p.proname like 'turnlog\\_%'
  )
  select kind, name, replace(replace(definition, prefix, ''), chr(13), '') as definition
  from entries order by kind, name collate "C"`

/**
 * Reads the catalog of `tables` and of every `turnlog_` function; empty if no migration has run.
 */
export async function readCatalog(ask: Ask, tables: readonly string[]): Promise<Catalog> {
  const rows = await ask(catalogQuery(tables))
  return Object.fromEntries(
    rows.filter(isEntry).map(({ kind, name, definition }) => {
      const value = kind === 'function' ? sha256(definition) : definition
      return [`${kind} ${name}`, value]
    }),
  )
}

type Entry = { readonly kind: string; readonly name: string; readonly definition: string }

const isEntry = (row: object): row is Entry => 'kind' in row && 'name' in row && 'definition' in row

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

/** The path of the file with the catalog that a database has after the migration `tag`. */
export const catalogFile = (folder: string, tag: string): string =>
  join(folder, 'catalogs', `${tag}.json`)

/** Reads the catalog that a database has after the migration `tag`. */
export const readCatalogFile = (folder: string, tag: string): Catalog =>
  JSON.parse(readFileSync(catalogFile(folder, tag), 'utf8'))

/** The names of a catalog's tables. */
export const tablesIn = (catalog: Catalog): string[] =>
  Object.keys(catalog).flatMap((key) => (key.startsWith('table ') ? [key.slice(6)] : []))

/**
 * Compares a database with the catalog that it should have.
 * @param isCompared Limits the comparison to some keys of the catalog. @default all
 * @returns One phrase for each object that differs, such as `table messages is missing`.
 */
export async function readDifferences(
  ask: Ask,
  expected: Catalog,
  isCompared: (key: string) => boolean = () => true,
): Promise<string[]> {
  const found = await readCatalog(ask, tablesIn(expected))
  const keys = [...new Set([...Object.keys(expected), ...Object.keys(found)])].filter(isCompared)
  return keys.flatMap((key) => {
    const [is, should] = [found[key], expected[key]]
    if (is === should) return []
    if (is === undefined) return [`${key} is missing`]
    if (should === undefined) return [`${key} is unknown`]
    return key.startsWith('function ')
      ? [`${key} has another text`]
      : [`${key} is "${is}" instead of "${should}"`]
  })
}

/** The first `max` differences as one text, and the number of further ones. */
export const differencesText = (differences: readonly string[], max = 5): string =>
  [
    ...differences.slice(0, max),
    ...(differences.length > max ? [`and ${differences.length - max} more`] : []),
  ].join('; ')
