/**
 * PeriodicWork looks for work at regular intervals and does it. One look ends before the next
 * begins.
 */

export type PeriodicWork = Disposable & {
  /** Looks for work once and does it. Never rejects. */
  workOff(): Promise<void>
}

/**
 * Calls `workOff` again and again, each time `everyMs` milliseconds after the last call has ended.
 */
export function createPeriodicWork(
  everyMs: number,
  workOff: PeriodicWork['workOff'],
): PeriodicWork {
  let isStopped = false
  let timer: ReturnType<typeof setTimeout> | undefined
  const again = () => {
    timer = setTimeout(() => void look(), everyMs)
    // The timer alone must not keep the process alive.
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
