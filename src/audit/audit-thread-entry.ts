import { parentPort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/authorization.js';
import { serveThread } from '../engine/serve-thread.js';
import type { AuditKinds } from './tasks/kinds.js';
import { openAuditLane, type ThreadAuditSetup } from './tasks/open-lane.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');

serveThread<AuditKinds, ThreadAuditSetup, Authorization>(parentPort, async (setup) => {
  const authorization: Authorization = { ...setup.authorization };
  const lane = await openAuditLane(setup, authorization);
  return { lane, update: (renewed) => void Object.assign(authorization, renewed) };
});
