/** What every adapter of the database is opened with, where a test says nothing else. */
export const defaults = {
  directory: '/nowhere',
  connectionsMax: 4,
  prepare: true,
  deadlineMs: 5000,
  connectTimeoutMs: 2000,
  startWaitSeconds: 10,
  allowUnsafe: false,
}
