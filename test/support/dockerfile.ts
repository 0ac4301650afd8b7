/** A Dockerfile as data. It parses the part of the grammar that the project's Dockerfile uses. */

export type Instruction = { readonly name: string; readonly text: string }

export type Stage = {
  readonly name: string
  readonly image: string
  readonly instructions: readonly Instruction[]
}

export function readDockerfile(text: string): Stage[] {
  const lines = text
    .replace(/^\s*#.*\n/gm, '')
    .replace(/\\\n/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  const stages: { name: string; image: string; instructions: Instruction[] }[] = []
  for (const line of lines) {
    const [, name = '', rest = ''] = /^([A-Z]+)\s+(.*)$/.exec(line) ?? []
    if (name === '') throw new Error(`This line is no instruction: ${line}`)
    if (name === 'FROM') {
      const [, image = '', stage = ''] = /^(\S+)\s+AS\s+(\S+)$/.exec(rest) ?? []
      stages.push({ name: stage, image, instructions: [] })
    } else stages.at(-1)?.instructions.push({ name, text: rest.replace(/\s+/g, ' ') })
  }
  return stages
}

/** The arguments of a stage's instructions of one kind, in order. */
export const textsOf = (stage: Stage, name: string): string[] =>
  stage.instructions.filter((one) => one.name === name).map(({ text }) => text)

export type Copy = {
  /** The name of the stage that it copies from; undefined for the project. */
  readonly from: string | undefined
  readonly owner: string | undefined
  readonly sources: readonly string[]
  readonly target: string
}

export function readCopy(text: string): Copy {
  const words = text.split(' ')
  const option = (name: string) =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3)
  const paths = words.filter((word) => !word.startsWith('--'))
  return {
    from: option('from'),
    owner: option('chown'),
    sources: paths.slice(0, -1),
    target: paths.at(-1) ?? '',
  }
}

/** The words of an exec form. A shell form fails, because the image has no shell. */
export function readExec(text: string): string[] {
  const words: unknown = JSON.parse(text)
  if (!Array.isArray(words) || !words.every((word) => typeof word === 'string'))
    throw new Error(`This is no exec form: ${text}`)
  return words
}
