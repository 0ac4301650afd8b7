/** The report of the benches and their command line. The benches themselves are not run here. */
import { describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Bar, chartOf } from '../bench/report/chart.ts'
import {
  type Comparison,
  inTurn,
  judge,
  median,
  medianCpu,
  type Row,
  shown,
} from '../bench/report/comparison.ts'
import type { Machine } from '../bench/report/machine.ts'
import { readNotes, reportOf } from '../bench/report/report.ts'
import { storedReport } from '../bench/report/report-files.ts'
import { type Results, readResults, writeResults } from '../bench/report/results.ts'
import { benchNames, rowIds, rowOf, rowsByBench } from '../bench/report/rows.ts'
import { tableOf } from '../bench/report/table.ts'

const root = join(import.meta.dir, '..')

const samples = (...values: number[]) => values.map((value) => ({ value }))

const faster: Row = {
  name: 'record',
  against: 'by <hand>',
  unit: 'turns/s',
  better: 'more',
  aim: { of: 'ratio', bound: 3 },
}

const compared = (row: Row, ours: number[], baseline: number[]): Comparison => ({
  id: 'record-32',
  ...row,
  ours: samples(...ours),
  baseline: samples(...baseline),
})

describe('a comparison', () => {
  test('a median is the middle figure, or the mean of the two middle ones', () => {
    expect(median([3, 1, 2])).toBe(2)
    expect(median([4, 1, 3, 2])).toBe(2.5)
    expect(median([7])).toBe(7)
    expect(median([10, 9, 100])).toBe(10)
    expect(median([])).toBeNaN()
  })

  test('a bench runs Turnlog and the baseline alternately', async () => {
    const order: string[] = []
    const side = (name: string) => async () => ({ value: order.push(name) })
    const { ours, baseline } = await inTurn(2, side('ours'), side('baseline'))
    expect(order).toEqual(['baseline', 'ours', 'baseline', 'ours'])
    expect([ours, baseline]).toEqual([samples(2, 4), samples(1, 3)])
  })

  test('the ratio of a comparison is the median of the ratios of its pairs of runs', () => {
    const judged = judge(compared(faster, [300, 100, 900], [100, 50, 200]))
    expect(judged).toMatchObject({ ours: 300, baseline: 100, ratio: 3, spread: [2, 4.5] })
    expect(judged).toMatchObject({ aimShare: 1, isMet: true, aimShareSpread: [2 / 3, 1.5] })
    expect(judge(compared(faster, [299], [100])).isMet).toBe(false)
  })

  test('if the row of a bench says that less is better, a smaller figure reaches a larger share of the aim', () => {
    const wait: Row = { ...faster, better: 'less', aim: { of: 'ratio', bound: 1.5 } }
    const judged = judge(compared(wait, [3, 2, 1], [1, 1, 1]))
    expect(judged).toMatchObject({ ratio: 2, aimShare: 0.75, isMet: false })
    expect(judged.aimShareSpread).toEqual([0.5, 1.5])
    expect(judge(compared(wait, [1.5], [1])).isMet).toBe(true)
  })

  test("an aim about Turnlog's own figure is judged without the baseline", () => {
    const start: Row = { ...faster, unit: 's', better: 'less', aim: { of: 'ours', bound: 0.5 } }
    const judged = judge(compared(start, [0.3, 0.25, 0.4], [0.02, 0.02, 0.02]))
    expect(judged).toMatchObject({ ours: 0.3, spread: [0.25, 0.4], isMet: true })
  })

  test('a comparison of a bench without an aim has no verdict', () => {
    const { aim: _, ...row } = faster
    const judged = judge(compared(row, [1, 2], [1, 1]))
    expect(judged.spread).toEqual([1, 2])
    expect('isMet' in judged).toBe(false)
  })

  test('the reported CPU of a process is the median of the runs that measured it', () => {
    const cpu = [{ server: 10, client: 1 }, { server: 30 }, { server: 20, client: 3 }]
    expect(medianCpu(cpu.map((each) => ({ value: 1, cpu: each })))).toEqual({
      server: 20,
      client: 2,
    })
    expect(medianCpu(samples(1))).toEqual({})
  })

  test('a figure of a bench is printed with three digits, or with all digits before the point', () => {
    expect([0.12345, 1.5, 12.345, 123.45, 12345.6, Number.NaN].map(shown)).toEqual([
      ...['0.12', '1.50', '12.3', '123', '12346', '-'],
    ])
  })
})

describe('the rows', () => {
  test('the aims of all benches are those that this test lists', () => {
    const aims = rowIds.flatMap((id) => {
      const { aim, better } = rowOf(id)
      return aim === undefined ? [] : [`${id}: ${aim.of} ${aim.bound} or ${better}`]
    })
    expect(aims).toEqual([
      'record-32: ratio 3 or more',
      'record-128: ratio 5 or more',
      'record-latency: ratio 1.5 or less',
      'load-strong-32: ratio 0.6 or more',
      'load-eventual-32: ratio 0.6 or more',
      'load-strong-128: ratio 0.75 or more',
      'load-eventual-128: ratio 0.75 or more',
      'growth-time: ratio 1.1 or less',
      'growth-bytes: ratio 1.1 or less',
      'live-frame: ratio 1.15 or less',
      'live-redis-down: ratio 1 or less',
      'peers-record-mastra: ratio 4 or more',
      'peers-record-langchain: ratio 2 or more',
      'peers-load-mastra: ratio 15 or more',
      'peers-load-langchain: ratio 40 or more',
      'reference-1000: ratio 50 or more',
      'embedded-1: ratio 0.8 or more',
      'embedded-32: ratio 0.8 or more',
      'start-embedded: ours 1.5 or less',
      'start-server: ours 0.5 or less',
      'memory-ready: ours 120 or less',
      'memory-used: ours 120 or less',
    ])
  })

  test('each row of a bench has a unique id that starts with the name of the bench', () => {
    expect(new Set(rowIds).size).toBe(rowIds.length)
    for (const name of benchNames)
      for (const id of Object.keys(rowsByBench[name])) expect(id).toStartWith(`${name}-`)
  })
})

const machine: Machine = {
  cpu: 'Sample',
  cores: 2,
  memoryGb: 8,
  system: 'Sample 1',
  fileSystem: 'ext4',
  loadBefore: 0.1,
  postgres: { synchronous_commit: 'on' },
  versions: { turnlog: 'abc', bun: '1' },
}

const results: Results = {
  bench: 'record',
  date: '2026-11-24T00:00:00.000Z',
  runs: 3,
  secondsPerRun: 1,
  machine,
  commands: ['bun run bench record'],
  comparisons: [
    {
      ...compared(faster, [300, 100, 900], [100, 50, 200]),
      ours: [{ value: 300, cpu: { server: 100 } }, ...samples(100, 900)],
    },
  ],
  skipped: [{ id: 'reference-1000', because: 'there is none' }],
}

describe('the output of a bench', () => {
  test('the table of a bench has a line per comparison, with its aim and whether it is met', () => {
    const [head, line, spent] = tableOf(results.comparisons).split('\n')
    expect(head?.split(/ {2,}/)).toEqual([
      ...['name', 'unit', 'ours', 'baseline', 'ratio', 'spread', '(aim)'],
    ])
    expect(line?.split(/ {2,}/)).toEqual([
      ...['record, against by <hand>', 'turns/s', '300', '100', '3.00', '2.00-4.50'],
      '(3 or more: met)',
    ])
    expect(spent).toContain('ours: server 100')
  })

  test('the figures of every run are stored as JSON, and can be read again', () => {
    const folder = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    writeResults(folder, results)
    expect(readResults(folder)).toEqual([results])
    rmSync(folder, { recursive: true, force: true })
  })

  test('the report of the benches has tables, charts, skipped rows with reasons, and notes', () => {
    const notes = readNotes('# Notes\n\n## method\n\nIn turn.\n\n## record-32\n\nBound by X.\n')
    const { markdown, charts } = reportOf([results], notes)
    expect([...charts.keys()]).toEqual(['aims.svg', 'record.svg'])
    expect(markdown).toContain('# Benchmarks\n')
    expect(markdown).toContain('In turn.')
    expect(markdown).toContain(
      '| record | by <hand> | 300 turns/s | 100 | 3.00 | 2.00 to 4.50 | server 100 |  |',
    )
    expect(markdown).toContain('| record | by <hand> | 3.00 | 3 or more | met |')
    expect(markdown).toContain('Skipped: `reference-1000`, because there is none.')
    expect(markdown).toContain('**record, against by <hand>.** Bound by X.')
    expect(markdown).toContain('3 runs of 1 s')
  })

  test('each bar of a chart is a share of an aim, cut at two and a half times the aim', () => {
    const bar = (aimShare: number): Bar => ({
      ...{ label: 'a & b', against: '"c"', figure: '1' },
      aimShare,
      spread: [aimShare, aimShare],
    })
    const widths = (...aimShare: number[]) => {
      const svg = chartOf('title', aimShare.map(bar))
      expect(svg).toContain('a &amp; b')
      expect(svg).toContain('&quot;c&quot;')
      return [...svg.matchAll(/<rect class="(\w+)"[^>]* width="([\d.]+)"/g)].map(
        ([, kind, width]) => [kind, Number(width)],
      )
    }
    const [[, half = 0] = [], [, whole = 0] = [], [, far = 0] = []] = widths(0.5, 1, 9)
    expect(widths(0.5, 1, 9).map(([kind]) => kind)).toEqual(['missed', 'met', 'met'])
    expect(Number(whole)).toBeCloseTo(2 * Number(half), 0)
    expect(Number(far)).toBeCloseTo(2.5 * Number(whole), 0)
  })

  test('docs/BENCHMARKS.md and its charts are those generated from the stored figures', () => {
    const { markdown, charts } = storedReport()
    const read = (name: string) => readFileSync(join(root, 'docs', name), 'utf8')
    expect(read('BENCHMARKS.md')).toBe(markdown)
    expect(readdirSync(join(root, 'docs/benchmarks')).toSorted()).toEqual(
      [...charts.keys()].toSorted(),
    )
    for (const [name, svg] of charts) expect(read(`benchmarks/${name}`)).toBe(svg)
  })

  test('each section of bench/notes.md is called `method`, `profiles` or like a row of the bench table', () => {
    const notes = readNotes(readFileSync(join(root, 'bench/notes.md'), 'utf8'))
    const known = ['method', 'profiles', ...rowIds]
    expect([...notes.keys()].filter((id) => !known.includes(id))).toEqual([])
  })
})

describe('bun run bench', () => {
  const bench = (...words: string[]) => {
    const env = { PATH: process.env['PATH'] ?? '' }
    const command = [process.execPath, 'bench/main.ts', ...words]
    const { exitCode, stdout, stderr } = Bun.spawnSync(command, { cwd: root, env })
    return { exitCode, out: String(stdout), err: String(stderr) }
  }

  test('`bun run bench --help` names every bench', () => {
    const { exitCode, out } = bench('--help')
    expect(exitCode).toBe(0)
    for (const name of [...benchNames, 'report']) expect(out).toContain(`\n  ${name} `)
  })

  test('`bun run bench` refuses an unknown bench and then starts none', () => {
    const { exitCode, out, err } = bench('record', 'recrod')
    expect([exitCode, out]).toEqual([2, ''])
    expect(err).toContain('There is no bench recrod')
    expect(err).toContain(benchNames.join(', '))
  })

  test('`bun run bench` refuses an unknown flag', () => {
    expect(bench('--fast').exitCode).toBe(2)
  })

  test('`bun run bench report` writes to the folder of --out, and refuses a folder without figures', () => {
    const folder = mkdtempSync(join(tmpdir(), 'turnlog-test-'))
    writeResults(folder, results)
    expect(bench('report', '--from', folder, '--out', join(folder, 'docs')).exitCode).toBe(0)
    expect(existsSync(join(folder, 'docs/BENCHMARKS.md'))).toBe(true)
    expect(bench('report', '--from', join(folder, 'docs')).err).toContain('has no figures')
    rmSync(folder, { recursive: true, force: true })
  })
})
