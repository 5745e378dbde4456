import { parentPort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/authorization.js';
import { Traffic } from '../container/traffic.js';
import { serveThread } from '../engine/serve-thread.js';
import { openLoadLane, type ThreadLaneSetup } from './open-lane.js';
import type { LoadKinds } from './tasks.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');

serveThread<LoadKinds, ThreadLaneSetup, Authorization>(parentPort, async (setup, log) => {
  const authorization: Authorization = { ...setup.authorization };
  const lane = await openLoadLane(setup, authorization, new Traffic(setup.traffic, setup.slot), log);
  return { lane, update: (renewed) => void Object.assign(authorization, renewed) };
});
