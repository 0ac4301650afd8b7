/** Loads configurations from texts instead of files. */
import { ConfigError, type LoadedConfig, loadConfig } from '../../src/config.ts'

export type SourceTexts = {
  argv?: string[]
  env?: Record<string, string>
  files?: Record<string, string>
}

export const load = ({ argv = [], env = {}, files = {} }: SourceTexts): LoadedConfig =>
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
  throw new Error('it was not refused')
}

/** Returns the problems of a configuration, each as one line. */
export const problemLines = (given: SourceTexts) =>
  refusal(() => load(given)).problems.map((one) => `${one.source}: ${one.path} ${one.message}`)
