/** The help of each command. */
import { describe, expect, test } from 'bun:test'
import { commandHelps, helpOf, overview } from '../../src/commands/command-help.ts'
import { settingList } from '../../src/settings/setting-list.ts'

const commands = Object.entries(commandHelps)
const ansiStart = String.fromCharCode(27)

describe('the help of a command', () => {
  test('each command has flags, two examples and the meaning of each exit code', () => {
    for (const [command, { usage, purpose, flags, examples, exitCodes }] of commands) {
      expect(usage).toStartWith(`turnlog ${command}`)
      expect([command, purpose.length > 80, flags.length > 0]).toEqual([command, false, true])
      expect([command, examples.length]).toEqual([command, 2])
      for (const [line] of examples) expect(line).toContain(`turnlog ${command}`)
      const codes = exitCodes.map(([code]) => code)
      expect(codes).toEqual(codes.includes('1') ? ['0', '1', '2'] : ['0', '2'])
    }
  })

  test('each flag that the help names is a setting, or is read by its command', () => {
    const settings = settingList.flatMap((setting) => setting.flags.map((flag) => `--${flag}`))
    for (const [command, { flags }] of commands) {
      if (command === 'import' || command === 'export') continue
      const named = flags.flatMap(([name]) => name.match(/--[\w.]+/g) ?? [])
      const own = ['--config', '--reference', '--schema', '--json', '--all', '--repair']
      expect(named.filter((name) => !settings.includes(name) && !own.includes(name))).toEqual([])
    }
  })

  test('no line of a help is wider than 96 characters', () => {
    for (const text of [overview(), ...commands.map(([, help]) => helpOf(help))])
      expect(text.split('\n').filter((line) => line.length > 96)).toEqual([])
  })

  test('the overview lists every command, and colours change no other character', () => {
    for (const [command] of commands) expect(overview()).toMatch(new RegExp(`^  ${command} `, 'm'))
    const bare = (text: string) => text.replaceAll(new RegExp(`${ansiStart}\\[\\d+m`, 'g'), '')
    for (const [, help] of commands) {
      expect(helpOf(help, true)).toContain(ansiStart)
      expect(bare(helpOf(help, true))).toBe(helpOf(help))
    }
    expect(bare(overview(true))).toBe(overview())
  })
})
