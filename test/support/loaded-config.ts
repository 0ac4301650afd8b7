import { ConfigError, type LoadedConfig, loadConfig } from '../../src/config.ts'

export type ConfigSources = {
  argv?: string[]
  env?: Record<string, string>
  files?: Record<string, string>
}

export const load = ({ argv = [], env = {}, files = {} }: ConfigSources): LoadedConfig =>
  loadConfig({
    argv,
    env,
    directory: '/work',
    readFile: (path) => files[path.replace('/work/', '')],
  })

export function refusal(run: () => unknown): ConfigError {
  try {
    run()
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  throw new Error('The configuration was accepted.')
}

/** The problems of a configuration, one line each. */
export const problemsOf = (sources: ConfigSources) =>
  refusal(() => load(sources)).problems.map((one) => `${one.source}: ${one.path} ${one.message}`)
