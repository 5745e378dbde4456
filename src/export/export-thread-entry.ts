import { parentPort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/authorization.js';
import { serveThread } from '../engine/serve-thread.js';
import type { ExportKinds } from './tasks/kinds.js';
import { openExportLane, type ThreadExportSetup } from './tasks/open-lane.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');

serveThread<ExportKinds, ThreadExportSetup, Authorization>(parentPort, async (setup, log) => {
  const authorization: Authorization = { ...setup.authorization };
  const lane = await openExportLane(setup, authorization, { log });
  return { lane, update: (renewed) => void Object.assign(authorization, renewed) };
});
