// Loaded before the program (NODE_OPTIONS=--import): writes the address of each module that it loads into the file
// LOADED_TO.
import { appendFileSync } from 'node:fs';
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

// Node calls `load` in a thread of its own, where this is loaded again.
if (isMainThread) register(import.meta.url);

export function load(url, context, next) {
  appendFileSync(process.env.LOADED_TO, `${url}\n`);
  return next(url, context);
}
