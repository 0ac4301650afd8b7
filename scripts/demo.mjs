/** `npm run demo:crash`: runs the crash demo, with nothing installed but Node and npm. */
import { findBun, install, runBun } from './bun.mjs'

const bun = findBun()
install(bun, { onlyIfMissing: true })
runBun(bun, 'examples/crash-demo/crash-demo.ts', process.argv.slice(2))
