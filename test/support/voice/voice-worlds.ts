/**
 * What may have become of steps taken at the same time: in every order that keeps each thread's own, as
 * far as the answers allow. Of a socket that was cut nobody knows how far it came.
 */
import type { VoiceModel } from './voice-model.ts'
import type { Step } from './voice-steps.ts'

/** What was said of a step. A replay tells of an earlier version. */
export type Answer = { readonly outcome: string; readonly version?: number; readonly seq?: number }

export type Thread = {
  readonly steps: readonly { readonly step: Step; readonly answer?: Answer }[]
  /** Perhaps not all of them were taken, but none without those before it. */
  readonly mayStop: boolean
  /** Begins once so many steps of another have been taken. */
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

/** None: no order explains what was answered. */
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
