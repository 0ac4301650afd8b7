/** The one table of log events and their levels. docs/logs.md explains every row. */

/** Levels, the most severe first. A log at one level writes that level and those before it. */
export const levels = ['error', 'warn', 'info', 'debug'] as const
export type Level = (typeof levels)[number]

/** Each event and its default level. */
export const eventLevels = {
  started: 'info',
  stopping: 'info',
  notice: 'info',
  'database-lost': 'warn',
  'database-back': 'info',
  'writes-lost': 'error',
  'writes-back': 'info',
  'cache-lost': 'warn',
  'cache-back': 'info',
  'cache-failed': 'warn',
  'cache-deaf': 'warn',
  'cache-skipped': 'warn',
  'cache-used': 'info',
  'cache-ahead': 'warn',
  request: 'info',
  'request-refused': 'debug',
  'request-slow': 'warn',
  'request-unserved': 'error',
  'request-failed': 'error',
  'effect-failed': 'warn',
  'work-failed': 'warn',
  'outcome-unknown': 'warn',
  'socket-closed': 'warn',
  'host-refused': 'warn',
  'origin-refused': 'warn',
  'sockets-drained': 'info',
  'head-went-back': 'error',
  'descriptors-low': 'warn',
  'process-warning': 'warn',
  'process-failed': 'error',
} as const satisfies Record<string, Level>

export type EventName = keyof typeof eventLevels
