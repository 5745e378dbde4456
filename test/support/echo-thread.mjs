// A thread for the contract of runners: what it serves is in echo-lane.ts.
import { parentPort } from 'node:worker_threads';
import { createLane } from '../../dist/engine/lane.js';
import { serveThread } from '../../dist/engine/serve-thread.js';
import { echoLane } from './echo-lane.mjs';

serveThread(parentPort, async (setup, log) => {
  const lane = echoLane(createLane, setup, log);
  return { lane, update: lane.update };
});
