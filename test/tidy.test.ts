/**
 * The layout of the code: allowed imports, sizes of files and folders, names, and banned
 * constructs.
 */
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join, normalize, relative } from 'node:path'
import { Glob } from 'bun'

const root = normalize(join(import.meta.dir, '..'))

const files = ['src', 'adapters', 'drizzle', 'test', 'bench'].flatMap((folder) =>
  [...new Glob(`${folder}/**/*.ts`).scanSync({ cwd: root })].map((path) => ({
    path,
    text: readFileSync(join(root, path), 'utf8'),
  })),
)
const code = files.filter(({ path }) => !/^(test|bench)\//.test(path))

/** Files that every folder may import: ports, mechanics without a domain, problems and events. */
const foundations = ['src/ports/', 'src/mechanics/', 'src/problem.ts', 'src/events.ts']

/** Files of the service that the client may import: types of requests, frames and problems. */
const clientTypes = [
  'src/conversation/wire/',
  'src/live/protocol/protocol.ts',
  'src/live/protocol/server-frames.ts',
  'src/problem-error.ts',
]
const clientFoundations = [
  'src/client/checked-options.ts',
  'src/client/own-writes.ts',
  'src/client/shown-url.ts',
  'src/mechanics/',
  ...clientTypes,
]

/**
 * The arrows: which files of the project a file may import. The longest matching row decides.
 * Imports of types count, too. A row that ends with a slash is a folder and everything below it.
 */
const arrows: Record<string, string[]> = {
  'src/main.ts': [
    'src/commands/',
    'src/config.ts',
    'src/mechanics/',
    'src/ports/',
    'src/problem.ts',
    'src/events.ts',
  ],
  'src/commands/': [
    'src/commands/',
    'src/transfer/',
    'src/app.ts',
    'src/maintenance.ts',
    'src/resources.ts',
    'src/config.ts',
    'src/settings/',
    'src/events.ts',
    'src/mechanics/',
    'src/ports/',
    'src/problem.ts',
  ],
  'src/app.ts': ['src/'],
  // The work of commands such as `migrate`, on the same resources as a service.
  'src/maintenance.ts': ['src/resources.ts', 'src/conversation/', ...foundations, 'src/config.ts'],
  'src/resources.ts': [
    'adapters/open.ts',
    'src/adapter-events.ts',
    'src/config.ts',
    'src/events.ts',
    'src/ports/',
  ],

  // Export and import use the client. Of the domain they know only the pure schemas and formats.
  'src/transfer/': [
    'src/transfer/misuse.ts',
    'src/transfer/pace.ts',
    'src/transfer/service-client.ts',
    'src/client/client.ts',
    // One rule decides which part of a service's URL may be printed.
    'src/client/shown-url.ts',
    'src/conversation/wire/',
  ],
  'src/transfer/import/': [
    'src/mechanics/',
    'src/transfer/import/',
    'src/transfer/formats/',
    'src/transfer/lines/',
    'src/transfer/misuse.ts',
    'src/transfer/progress.ts',
    'src/transfer/service-client.ts',
    'src/client/client.ts',
    'src/conversation/wire/',
  ],
  'src/transfer/export/': [
    'src/transfer/export/',
    'src/transfer/formats/export-format.ts',
    'src/transfer/pages.ts',
    'src/transfer/progress.ts',
    'src/transfer/service-client.ts',
    'src/client/client.ts',
    'src/conversation/wire/',
  ],
  // Formats and lines do no I/O.
  'src/transfer/formats/': ['src/transfer/formats/', 'src/conversation/wire/'],
  'src/transfer/lines/': ['src/transfer/lines/'],

  'src/live/live.ts': [
    'src/live/',
    'src/conversation/store.ts',
    'src/conversation/reading/',
    'src/conversation/wire/',
    'src/conversation/writing/effects.ts',
    ...foundations,
  ],
  'src/live/socket/': [
    'src/live/socket/',
    'src/live/following/',
    'src/live/protocol/',
    'src/conversation/store.ts',
    'src/conversation/speech/voice-session-store.ts',
    'src/conversation/reading/reader.ts',
    'src/conversation/wire/',
    ...foundations,
  ],
  'src/live/following/': [
    'src/live/following/',
    'src/live/protocol/',
    'src/conversation/reading/live-reads.ts',
    'src/conversation/reading/versions.ts',
    'src/conversation/wire/',
    'src/conversation/writing/effects.ts',
    ...foundations,
  ],
  'src/live/protocol/': [
    'src/live/protocol/',
    'src/conversation/reading/live-reads.ts',
    'src/conversation/wire/',
    'src/problem.ts',
  ],

  // The client runs in browsers. Of the service it imports types, problems and mechanics. The files
  // in its root use its folders; recording and following use the socket.
  'src/client/': ['src/client/', ...clientFoundations],
  'src/client/recording/': [
    'src/client/recording/',
    'src/client/socket/',
    'src/client/journal/',
    'src/client/wire/',
    ...clientFoundations,
  ],
  'src/client/following/': [
    'src/client/following/',
    'src/client/socket/',
    'src/client/wire/',
    ...clientFoundations,
  ],
  'src/client/socket/': ['src/client/socket/', 'src/client/wire/', ...clientFoundations],
  'src/client/rest/': ['src/client/rest/', 'src/client/wire/', ...clientFoundations],
  'src/client/journal/': ['src/client/journal/', 'src/client/wire/', ...clientFoundations],
  'src/client/wire/': ['src/client/wire/', ...clientTypes],
  // Files that every folder of the client may import.
  'src/client/checked-options.ts': [],
  'src/client/own-writes.ts': ['src/mechanics/'],
  'src/client/shown-url.ts': [],

  'src/http/': [
    'src/http/',
    'src/live/',
    'src/conversation/',
    ...foundations,
    'src/auth.ts',
    'src/config.ts',
  ],
  // Routes know the services only by their types. `server.ts` connects both.
  'src/http/services.ts': [
    'src/http/request/',
    'src/conversation/',
    'src/config.ts',
    ...foundations,
  ],
  'src/http/routes/': [
    'src/http/routes/',
    'src/http/openapi/',
    'src/http/request/',
    'src/http/services.ts',
    'src/live/',
    'src/conversation/',
    ...foundations,
    'src/auth.ts',
    'src/config.ts',
  ],
  'src/http/openapi/': ['src/http/openapi/', 'src/conversation/wire/', 'src/problem.ts'],
  'src/http/request/': [
    'src/http/request/',
    'src/conversation/wire/',
    ...foundations,
    'src/config.ts',
  ],

  // From the top: `store.ts` and `histories.ts`, then writing, cache and speech, then reading, then
  // sql, then wire.
  'src/conversation/': ['src/conversation/', ...foundations],
  'src/conversation/cache/': [
    'src/conversation/cache/',
    'src/conversation/writing/effects.ts',
    'src/conversation/reading/reader.ts',
    'src/conversation/sql/database-problems.ts',
    'src/conversation/wire/',
    ...foundations,
  ],
  'src/conversation/speech/': [
    'src/conversation/speech/',
    'src/conversation/writing/',
    'src/conversation/reading/',
    'src/conversation/sql/',
    'src/conversation/wire/',
    ...foundations,
  ],
  'src/conversation/writing/': [
    'src/conversation/writing/',
    'src/conversation/reading/',
    'src/conversation/sql/',
    'src/conversation/wire/',
    ...foundations,
  ],
  'src/conversation/reading/': [
    'src/conversation/reading/',
    'src/conversation/sql/',
    'src/conversation/wire/',
    ...foundations,
  ],
  'src/conversation/sql/': [
    'src/conversation/sql/',
    'src/conversation/wire/',
    // The one list of a message's fields. The write functions of the database are made from it,
    // too.
    'drizzle/message-fields.ts',
    // Types only: the compiler compares the lists of columns with the tables.
    'drizzle/schema.ts',
    ...foundations,
  ],
  'src/conversation/wire/': ['src/conversation/wire/', 'src/problem.ts'],
  'src/conversation/wire/json/': ['src/conversation/wire/json/', 'src/problem.ts'],

  'src/mechanics/': ['src/mechanics/'],
  'src/ports/': ['src/ports/', 'src/problem.ts'],
  'src/adapter-events.ts': ['src/events.ts'],
  'src/auth.ts': ['src/conversation/wire/principal.ts', 'src/problem.ts', 'src/config.ts'],
  'src/config.ts': ['src/settings/'],
  'src/settings/': ['src/settings/'],
  'src/problem.ts': [
    'src/problem-codes.ts',
    'src/problem-error.ts',
    'src/problem-help.ts',
    'src/problem-titles.ts',
  ],
  'src/problem-error.ts': ['src/problem-codes.ts'],
  'src/problem-help.ts': ['src/problem-codes.ts', 'src/problem-titles.ts'],
  'src/problem-titles.ts': ['src/problem-codes.ts'],
  'src/problem-codes.ts': [],
  // The log reads the SQLSTATE of a failure with a function of the database port.
  'src/events.ts': ['src/log/', 'src/ports/'],
  'src/log/': ['src/log/', 'src/mechanics/', 'src/ports/'],

  'adapters/': ['adapters/', 'src/ports/', 'src/mechanics/', 'src/problem.ts', 'drizzle/'],
  'drizzle/': ['drizzle/'],
  // Scripts that make migrations run them on an embedded database. Nothing imports these scripts.
  'drizzle/scripts/': ['drizzle/', 'adapters/'],
}

const importsOf = ({ path, text }: { path: string; text: string }) =>
  [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map(([, target = '']) =>
    relative(root, join(root, dirname(path), target)),
  )

/** Each circle of imports, as a path from a file back to itself. */
function circlesOf(edges: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>()
  const walk = (path: string, above: string[]): string[] => {
    if (above.includes(path)) return [[...above.slice(above.indexOf(path)), path].join(' -> ')]
    if (done.has(path)) return []
    done.add(path)
    return (edges.get(path) ?? []).flatMap((next) => walk(next, [...above, path]))
  }
  return [...edges.keys()].flatMap((path) => walk(path, []))
}

/** The text of a file without its imports of types, which are no dependencies at run time. */
const valuesOnly = (text: string) => text.replace(/^(import|export) type [^;]*?from '[^']+'$/gm, '')

describe('the layout of the code', () => {
  test('each source imports only files that the table of allowed imports lists', () => {
    const wrong = code.flatMap((file) => {
      const row = Object.keys(arrows)
        .filter((prefix) => file.path.startsWith(prefix))
        .sort((a, b) => b.length - a.length)[0]
      if (row === undefined) return [`${file.path} has no row in the table of arrows`]
      const allowed = arrows[row] ?? []
      return importsOf(file)
        .filter((target) => target !== 'package.json')
        .filter((target) => !allowed.some((prefix) => target.startsWith(prefix)))
        .map((target) => `${file.path} -> ${target}`)
    })
    expect(wrong).toEqual([])
  })

  test('the client imports no values of the service except problems and mechanics', () => {
    const values = code
      .filter(({ path }) => path.startsWith('src/client/'))
      .flatMap(({ path, text }) =>
        importsOf({ path, text: valuesOnly(text) })
          // The mechanics import nothing of the service.
          .filter((target) => !/^src\/(client\/|mechanics\/|problem-error\.ts$)/.test(target))
          .map((target) => `${path} -> ${target}`),
      )
    expect(values).toEqual([])
  })

  // The list of a message's fields is allowed: it is data and imports nothing.
  test('files in src/ import only types, no values, from the tables of drizzle/', () => {
    const values = code
      .filter(({ path }) => path.startsWith('src/'))
      .flatMap(({ path, text }) =>
        [
          ...text.matchAll(
            /^(?:import|export) (?!type )[^;]*?from '[^']*\/drizzle\/(?!message-fields)[^']+'$/gm,
          ),
        ].map(([line]) => `${path}: ${line}`),
      )
    expect(values).toEqual([])
  })

  test('no files import each other in a circle, imports of types included', () => {
    expect(circlesOf(new Map(code.map((file) => [file.path, importsOf(file)])))).toEqual([])
  })

  test('each source has at most 260 lines', () => {
    const long = code.flatMap(({ path, text }) => {
      const lines = text.trimEnd().split('\n').length
      return lines > 260 ? [`${path} has ${lines} lines`] : []
    })
    expect(long).toEqual([])
  })

  test('each folder has at most 18 sources', () => {
    const counts = Map.groupBy(files, ({ path }) => dirname(path))
    const full = [...counts].filter(([, inside]) => inside.length > 18)
    expect(full.map(([folder, inside]) => `${folder} has ${inside.length}`)).toEqual([])
  })

  test('no two sources have the same file name, except those of commands', () => {
    const named = code.filter(({ path }) => !path.startsWith('src/commands/'))
    const byName = Map.groupBy(named, ({ path }) => basename(path))
    const twice = [...byName.values()].filter((same) => same.length > 1)
    expect(twice.map((same) => same.map(({ path }) => path).join(', '))).toEqual([])
  })

  test('the folders of the tests mirror those of the sources', () => {
    const folders = new Set(files.map(({ path }) => dirname(path)))
    const own = /^test(\/(adapters|conformance|service|support)(\/|$)|$)/
    const astray = [...folders]
      .filter((folder) => folder.startsWith('test') && !own.test(folder))
      .filter((folder) => !folders.has(folder.replace(/^test/, 'src')))
    expect(astray).toEqual([])
  })

  test('the folder map of docs/ARCHITECTURE.md lists exactly the existing folders', () => {
    const text = readFileSync(join(root, 'docs/ARCHITECTURE.md'), 'utf8')
    const map = /## Folders\n[\s\S]*?\n```\n([\s\S]*?)\n```/.exec(text)?.[1] ?? ''
    const above: string[] = []
    const mapped = map.split('\n').flatMap((line) => {
      const [, indent = '', name] = /^( *)([a-z0-9-]+)\/(?: |$)/.exec(line) ?? []
      if (name === undefined) return []
      above.length = indent.length / 2
      above.push(name)
      return [above.join('/')]
    })
    const below = (folder: string): string[] => [
      folder,
      ...readdirSync(join(root, folder), { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && !/^\.|^node_modules$/.test(entry.name))
        .flatMap((entry) => below(`${folder}/${entry.name}`)),
    ]
    const roots = ['adapters', 'bench', 'docs', 'drizzle', 'examples', 'scripts', 'src', 'test']
    expect(mapped.toSorted()).toEqual(roots.flatMap(below).toSorted())
  })

  test('file names are in kebab case, and none is a catch-all such as utils.ts', () => {
    const odd = files
      .map(({ path }) => path)
      .filter(
        (path) =>
          /(^|\/)(utils?|helpers?|common|misc|index|types)\.ts$/.test(path) ||
          !/^[a-z0-9/.-]+\.ts$/.test(path),
      )
    expect(odd).toEqual([])
  })

  test('only src/config.ts reads the environment', () => {
    const readers = code
      .filter(({ text }) => /process\.env|Bun\.env|Deno\.env|import\.meta\.env/.test(text))
      .map(({ path }) => path)
    expect(readers).toEqual(['src/config.ts'])
  })

  test('no code outside the domain opens a transaction', () => {
    const openers = code
      .filter(({ text }) => /\.transaction\(|\.begin\(|\bBEGIN;|'begin'/.test(text))
      .map(({ path }) => path)
      // An adoption is a migration that drizzle's migrator cannot run: it checks before it commits.
      .filter((path) => !/^(src\/conversation\/|adapters\/database\/adoption\.ts)/.test(path))
    expect(openers).toEqual([])
  })

  test('only adapters, commands, main.ts and app.ts call functions of Bun or Deno', () => {
    const users = code
      .filter(({ text }) => /\bBun\.|\bDeno\.|from 'bun|from 'bun:/.test(text))
      .map(({ path }) => path)
      .filter((path) => !/^(adapters\/|src\/commands\/|src\/main\.ts|src\/app\.ts)/.test(path))
    expect(users).toEqual([])
  })

  test('no source has a default export, a barrel, a console call or a silenced compiler error', () => {
    const bans: Record<string, RegExp> = {
      'a default export': /^export default /m,
      'a barrel': /^export \* from/m,
      console: /\bconsole\./,
      any: /(:|as|<)\s*any\b/,
      'a silenced error': /@ts-(ignore|expect-error|nocheck)|biome-ignore|oxlint-disable/,
      'an open end': /\b(TODO|FIXME|XXX)\b/,
    }
    const found = code.flatMap(({ path, text }) =>
      Object.entries(bans).flatMap(([name, ban]) => (ban.test(text) ? [`${path}: ${name}`] : [])),
    )
    expect(found).toEqual([])
  })

  test('no test file contains test.only, test.skip or test.todo', () => {
    const found = files
      .filter(({ path }) => path.startsWith('test/') && !/tidy|conformance/.test(path))
      .filter(({ text }) => /\b(test|describe|it)\.(only|skip|todo)\(/.test(text))
      .map(({ path }) => path)
    expect(found).toEqual([])
  })

  test('no two tests of a file have the same title', () => {
    const twice = files
      .filter(({ path }) => path.endsWith('.test.ts') || path.startsWith('test/conformance/'))
      .flatMap(({ path, text }) => {
        const names = [...text.matchAll(/^\s*(?:test|describe)\(\s*'([^']+)'/gm)].map(
          ([, name = '']) => name,
        )
        return names
          .filter((name, index) => names.indexOf(name) !== index)
          .map((name) => `${path}: ${name}`)
      })
    expect(twice).toEqual([])
  })
})
