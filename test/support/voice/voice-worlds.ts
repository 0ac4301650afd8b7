/**
 * What may have become of steps taken at the same time: in every order that keeps each thread's own, as
 * far as the answers allow. Of a socket that was cut nobody knows how far it came.
 */
import type { VoiceModel } from './voice-model.ts'
import type { Step } from './voice-steps.ts'

/** What was said of a step. A replay tells of an earlier version. */
export type Told = { readonly outcome: string; readonly version?: number; readonly seq?: number }

export type Thread = {
  readonly steps: readonly { readonly step: Step; readonly told?: Told }[]
  /** Perhaps not all of them were taken, but none without those before it. */
  readonly mayStop: boolean
  /** Begins once so many steps of another have been taken. */
  readonly after?: { readonly thread: Thread; readonly count: number }
}

function fits(outcome: string, model: VoiceModel, step: Step, told: Told | undefined): boolean {
  if (told === undefined) return true
  const seat = step.do === 'open' ? model.seatOf(step.key)?.seq : undefined
  return (
    told.outcome === outcome &&
    (told.version === undefined || told.version === model.version) &&
    (told.seq === undefined || told.seq === seat)
  )
}

/** None: no order explains what was answered. */
export function worldsAfter(
  worlds: readonly VoiceModel[],
  threads: readonly Thread[],
): VoiceModel[] {
  const ends = new Map<string, VoiceModel>()
  const seen = new Set<string>()
  const open = worlds.map((model) => ({ model, at: threads.map(() => 0) }))
  for (let here = open.pop(); here !== undefined; here = open.pop()) {
    const { model, at } = here
    const name = `${at.join()} ${model.name}`
    if (seen.has(name)) continue
    seen.add(name)
    const isOver = ({ steps, mayStop }: Thread, n: number) => mayStop || at[n] === steps.length
    if (threads.every(isOver)) ends.set(model.name, model)
    for (const [n, { steps, after }] of threads.entries()) {
      const taken = steps[at[n] ?? 0]
      const before = after === undefined ? 0 : (at[threads.indexOf(after.thread)] ?? 0)
      if (taken === undefined || before < (after?.count ?? 0)) continue
      const next = model.copy()
      if (fits(next.take(taken.step), next, taken.step, taken.told))
        open.push({ model: next, at: at.with(n, (at[n] ?? 0) + 1) })
    }
  }
  return [...ends.values()]
}
