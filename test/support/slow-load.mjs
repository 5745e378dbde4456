// Loads a directory into a container in memory that takes a while for each put, and says how it ended: in a process of its own,
// so that the process can be given few descriptors. Usage: slow-load.mjs SOURCE STATE; the build must be there.
import { readFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { MemoryContainer } from '../../dist/container/memory-container.js';
import { load } from '../../dist/load/load.js';

const PUT_MS = 50;
const MOST_AT_ONCE = 64;

class SlowContainer extends MemoryContainer {
  inFlight = 0;
  mostInFlight = 0;
  #waiting = [];

  async put(...args) {
    this.inFlight++;
    this.mostInFlight = Math.max(this.mostInFlight, this.inFlight);
    await setTimeout(PUT_MS);
    await super.put(...args);
    this.inFlight--;
    this.#waiting.shift()?.();
  }

  ready() {
    return this.inFlight < MOST_AT_ONCE ? undefined : new Promise((resolve) => this.#waiting.push(resolve));
  }
}

const [source, statePath] = process.argv.slice(2);
const container = new SlowContainer();
const summary = await load({ source, destination: '/unused', statePath, maxErrors: 1e6, internals: { container } });
const descriptors = Number(/Max open files\s+(\d+)/.exec(readFileSync('/proc/self/limits', 'utf8'))[1]);
const { status, progress } = summary;
const { filesDone: done, filesFailed: failed } = progress;
if (summary.error) throw summary.error;
console.log(JSON.stringify({ status, failed, done, descriptors, mostInFlight: container.mostInFlight }));
