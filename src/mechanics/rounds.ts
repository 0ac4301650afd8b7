/** Work that is looked for again and again, one look at a time. */

export type Rounds = Disposable & {
  /** Looks once; never rejects. */
  workOff(): Promise<void>
}

/** Looks `everyMs` after the look before has ended. */
export function createRounds(everyMs: number, workOff: Rounds['workOff']): Rounds {
  let isStopped = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const again = () => {
    timer = setTimeout(() => void look(), everyMs)
    // It alone keeps no process alive.
    if (typeof timer === 'object') timer.unref()
  }
  const look = async () => {
    await workOff()
    if (!isStopped) again()
  }
  again()
  return {
    workOff,
    [Symbol.dispose]() {
      isStopped = true
      clearTimeout(timer)
    },
  }
}
