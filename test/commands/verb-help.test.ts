/** The help of each verb. */
import { describe, expect, test } from 'bun:test'
import { helpOf, overview, verbHelps } from '../../src/commands/verb-help.ts'
import { settingList } from '../../src/settings/setting-list.ts'

const verbs = Object.entries(verbHelps)
const ansiStart = String.fromCharCode(27)

describe('the help of a verb', () => {
  test('each verb has flags, two examples and the meaning of each exit code', () => {
    for (const [verb, { usage, purpose, flags, examples, exitCodes }] of verbs) {
      expect(usage).toStartWith(`turnlog ${verb}`)
      expect([verb, purpose.length > 80, flags.length > 0]).toEqual([verb, false, true])
      expect([verb, examples.length]).toEqual([verb, 2])
      for (const [command] of examples) expect(command).toContain(`turnlog ${verb}`)
      const codes = exitCodes.map(([code]) => code)
      expect(codes).toEqual(codes.includes('1') ? ['0', '1', '2'] : ['0', '2'])
    }
  })

  test('each flag that the help names is a setting, or is read by its verb', () => {
    const settings = settingList.flatMap((setting) => setting.flags.map((flag) => `--${flag}`))
    for (const [verb, { flags }] of verbs) {
      if (verb === 'import' || verb === 'export') continue
      const named = flags.flatMap(([name]) => name.match(/--[\w.]+/g) ?? [])
      const own = ['--config', '--reference', '--schema', '--json', '--all', '--repair']
      expect(named.filter((name) => !settings.includes(name) && !own.includes(name))).toEqual([])
    }
  })

  test('no line of a help is wider than 96 characters', () => {
    for (const text of [overview(), ...verbs.map(([, help]) => helpOf(help))])
      expect(text.split('\n').filter((line) => line.length > 96)).toEqual([])
  })

  test('the overview lists every verb, and colours change no other character', () => {
    for (const [verb] of verbs) expect(overview()).toMatch(new RegExp(`^  ${verb} `, 'm'))
    const bare = (text: string) => text.replaceAll(new RegExp(`${ansiStart}\\[\\d+m`, 'g'), '')
    for (const [, help] of verbs) {
      expect(helpOf(help, true)).toContain(ansiStart)
      expect(bare(helpOf(help, true))).toBe(helpOf(help))
    }
    expect(bare(overview(true))).toBe(overview())
  })
})
