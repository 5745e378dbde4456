// Loads a directory into a container in memory whose service takes nothing for some seconds, and says how it ended: in
// a process of its own, so that the process can be given few descriptors. Usage: slow-load.mjs SOURCE STATE; the build
// must be there.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { MemoryContainer } from '../../dist/container/memory-container.js';
import { load } from '../../dist/load/load.js';

const OUTAGE_MS = 5000;

class SlowContainer extends MemoryContainer {
  waiting = 0;
  #outage;
  #over = false;

  ready() {
    if (this.#over) return undefined;
    this.waiting++;
    this.#outage ??= setTimeout(OUTAGE_MS).then(() => {
      this.#over = true;
    });
    return this.#outage;
  }
}

const [source, statePath] = process.argv.slice(2);
const container = new SlowContainer();
const { status, progress } = await load({
  source,
  destination: '/unused',
  statePath,
  maxErrors: 1e6,
  internals: { container },
});
const descriptors = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))[1]);
const { filesDone: done, filesFailed: failed } = progress;
console.log(JSON.stringify({ status, failed, done, descriptors, waited: container.waiting }));
