/**
 * The possible results of steps that were taken at the same time. They are tried in every order
 * that keeps the order of each thread and explains the answers. A cut socket may have taken any
 * number of its steps.
 */
import type { VoiceModel } from './voice-model.ts'
import type { Step } from './voice-steps.ts'

/** The answer to a step. A replay has no version, because it would be an earlier one. */
export type Answer = { readonly outcome: string; readonly version?: number; readonly seq?: number }

export type Thread = {
  readonly steps: readonly { readonly step: Step; readonly answer?: Answer }[]
  /** Whether only the first steps may have been taken, because the socket was cut. */
  readonly mayStop: boolean
  /** The thread begins after `count` steps of another thread. */
  readonly after?: { readonly thread: Thread; readonly count: number }
}

function fits(outcome: string, model: VoiceModel, step: Step, answer: Answer | undefined): boolean {
  if (answer === undefined) return true
  const seat = step.do === 'open' ? model.seatOf(step.key)?.seq : undefined
  return (
    answer.outcome === outcome &&
    (answer.version === undefined || answer.version === model.version) &&
    (answer.seq === undefined || answer.seq === seat)
  )
}

/** The models after the threads. There are none if no order explains the answers. */
export function worldsAfter(
  worlds: readonly VoiceModel[],
  threads: readonly Thread[],
): VoiceModel[] {
  const ends = new Map<string, VoiceModel>()
  const visited = new Set<string>()
  const open = worlds.map((model) => ({ model, at: threads.map(() => 0) }))
  for (let here = open.pop(); here !== undefined; here = open.pop()) {
    const { model, at } = here
    const name = `${at.join()} ${model.name}`
    if (visited.has(name)) continue
    visited.add(name)
    const isOver = ({ steps, mayStop }: Thread, n: number) => mayStop || at[n] === steps.length
    if (threads.every(isOver)) ends.set(model.name, model)
    for (const [n, { steps, after }] of threads.entries()) {
      const nextStep = steps[at[n] ?? 0]
      const before = after === undefined ? 0 : (at[threads.indexOf(after.thread)] ?? 0)
      if (nextStep === undefined || before < (after?.count ?? 0)) continue
      const next = model.copy()
      if (fits(next.take(nextStep.step), next, nextStep.step, nextStep.answer))
        open.push({ model: next, at: at.with(n, (at[n] ?? 0) + 1) })
    }
  }
  return [...ends.values()]
}
