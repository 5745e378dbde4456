// Loads with the library and prints a line of JSON ten times a second: what is done, and the memory. Arguments: source,
// container, options as JSON.
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { load } from '../dist/index.js';

const [source, destination, json] = process.argv.slice(2);
const options = JSON.parse(json);
const begun = performance.now();

/** Bytes on disk of the state. */
function stateBytes() {
  let bytes = 0;
  for (const name of readdirSync(options.statePath)) {
    try {
      bytes += statSync(join(options.statePath, name)).blocks * 512;
    } catch {
      // It has just been removed.
    }
  }
  return bytes;
}

let snapshot;
const say = () => {
  const { filesDone, sessionFiles, bytesDone, requests } = snapshot();
  console.log(JSON.stringify({ seconds: (performance.now() - begun) / 1000, filesDone, sessionFiles, bytesDone, requests, rssMb: process.memoryUsage.rss() / 1048576, stateBytes: stateBytes() }));
};
const timer = setInterval(() => snapshot && say(), 100);
const summary = await load({
  source,
  destination,
  ...options,
  onStart: (poll) => {
    snapshot = poll;
    say();
  },
});
clearInterval(timer);
say();
console.log(JSON.stringify({ status: summary.status, error: summary.error && String(summary.error) }));
