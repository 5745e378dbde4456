// Ends as the programs do while the thread of a runner hangs in a call of the system.
// Usage: hanging-threads.mjs FIFO; the build must be there.
import { constants, openSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createThreadRunner } from '../../dist/engine/thread-runner.js';
import { endProcess } from '../../dist/programs/main.js';

const [fifo] = process.argv.slice(2);
const entry = new URL('./hanging-thread.mjs', import.meta.url);
const runner = createThreadRunner({ lanes: 1, entry, setupOf: () => ({ fifo }), log: () => undefined });
runner.start({});
runner.submit(0, 1, { kind: 'hang', task: {} });
await opened();
// Until it reads.
await sleep(500);
await runner.close();
endProcess(7);

/** Waits until the thread has opened the fifo, to which nothing is ever written. */
async function opened() {
  for (;;) {
    try {
      return openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if (error.code !== 'ENXIO') throw error;
    }
    await sleep(20);
  }
}
