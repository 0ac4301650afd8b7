/** The line of a TOML key. */
import { describe, expect, test } from 'bun:test'
import { parse } from 'smol-toml'
import { tomlLines } from '../../src/settings/toml-lines.ts'

describe('the line of a TOML key', () => {
  test('the line of a key is found in tables, dotted keys, arrays and inline tables, and after long strings', () => {
    const text = [
      'top.level = 1 # [not]', // 1
      "'quoted key'.\"b\\u0061r\" = '[' ", // 2
      'long = """', // 3
      '[server]', // 4
      'port = 1 \\""" # not over', // 5
      'server.port = 1', // 6
      '\\\\""" # over', // 7
      "raw = '''", // 8
      "it''s [x]\\'''", // 9
      'list = [ # one', // 10
      '  1, "]",', // 11
      '  ["a", "b"], { a = 1 },', // 12
      ']', // 13
      'empty = ""', // 14
      '[ server ] # after', // 15
      '\tport = 1', // 16
      'tls = { cert = "x", key = { file = 1 } }', // 17
      '', // 18
      '[a."b.c".d]', // 19
      'e = 1', // 20
      '[[many]]', // 21
      'x = 1', // 22
    ].join('\r\n')
    expect(Object.keys(parse(text))).toContain('many')
    const lines = tomlLines(text)
    const expected: [string[], number | undefined][] = [
      [['top', 'level'], 1],
      [['quoted key', 'bar'], 2],
      [['long'], 3],
      [['raw'], 8],
      [['list'], 10],
      [['empty'], 14],
      [['server'], 15],
      [['server', 'port'], 16],
      [['server', 'tls', 'key', 'file'], 17],
      [['a', 'b.c', 'd'], 19],
      [['a', 'b.c', 'd', 'e'], 20],
      [['many', 'x'], 22],
      [['missing'], undefined],
    ]
    expect(expected.map(([keys]) => [keys, lines(keys)])).toEqual(expected)
  })
})
