import { parentPort, workerData } from 'node:worker_threads';
import { openContainer } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import { Traffic } from '../container/traffic.js';
import { isClfsError, messageOf } from '../error.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { createContext } from './context.js';
import { execute } from './execute.js';
import type { FromThread, ThreadSetup, ToThread } from './thread-protocol.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');
const port = parentPort;
const setup = workerData as ThreadSetup;
const traffic = new Traffic(setup.traffic, setup.slot);
const authorization = { ...setup.authorization };
const say = (message: FromThread) => port.postMessage(message);
const container = await openContainer(setup.place, authorization, {
  retryWindowMs: setup.retryWindowMs,
  concurrency: setup.concurrency,
  traffic,
  rateLimit: setup.capMbps > 0 ? createRateLimit(setup.capMbps, traffic) : undefined,
  lateArrivalMs: setup.lateArrivalMs,
  onRetry: (text) => say({ kind: 'log', text }),
});
const constants = { ...setup.constants, secret: Buffer.from(setup.constants.secret) };
const context = createContext(constants, openPosixSource(setup.source), container, openLz4());

port.on('message', (message: ToThread) => {
  if (message.kind === 'authorize') {
    Object.assign(authorization, message.authorization);
    return;
  }
  const { number, task } = message;
  execute(task, context, { part: (part) => say({ kind: 'part', number, part }) }).then(
    (result) => say({ kind: 'done', number, result }),
    (error: unknown) =>
      say({
        kind: 'failed',
        number,
        code: isClfsError(error) ? error.code : 'worker',
        message: isClfsError(error) ? error.message : String((error as Error)?.stack ?? messageOf(error)),
      }),
  );
});
