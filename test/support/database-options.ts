/** The default options with which tests open a database. */
export const defaults = {
  directory: '/nowhere',
  connectionsMax: 4,
  prepare: true,
  deadlineMs: 5000,
  connectTimeoutMs: 2000,
  startWaitSeconds: 10,
  allowUnsafe: false,
}
