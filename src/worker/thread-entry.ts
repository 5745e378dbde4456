import { parentPort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/blob-service.js';
import { openContainer } from '../container/open-container.js';
import { createRateLimit } from '../container/rate-limit.js';
import { Traffic } from '../container/traffic.js';
import { isClfsError, messageOf } from '../error.js';
import { openLz4 } from '../lz4/lz4.js';
import { openPosixSource } from '../source/posix-source.js';
import { selectFrom } from '../source/selection.js';
import { createContext, type WorkContext } from './context.js';
import { execute } from './execute.js';
import type { Task } from './tasks.js';
import type { FromThread, ThreadSetup, ToThread } from './thread-protocol.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');
const port = parentPort;
const authorization: Authorization = { query: '', bearer: '' };
let context: Promise<WorkContext> | undefined;

port.on('message', (message: ToThread) => {
  if (message.kind === 'setup') {
    Object.assign(authorization, message.setup.authorization);
    context = setUp(message.setup);
    context.catch(() => undefined);
  } else if (message.kind === 'authorize') Object.assign(authorization, message.authorization);
  else void run(message.number, message.task);
});

function say(message: FromThread): void {
  port.postMessage(message);
}

async function setUp(setup: ThreadSetup): Promise<WorkContext> {
  const traffic = new Traffic(setup.traffic, setup.slot);
  const container = await openContainer(setup.place, authorization, {
    retryWindowMs: setup.retryWindowMs,
    concurrency: setup.concurrency,
    traffic,
    rateLimit: setup.capMbps > 0 ? createRateLimit(setup.capMbps, traffic) : undefined,
    lateArrivalMs: setup.lateArrivalMs,
    onRetry: (text) => say({ kind: 'log', text }),
  });
  const constants = { ...setup.constants, secret: Buffer.from(setup.constants.secret) };
  return createContext(constants, selectFrom(openPosixSource(setup.source), setup.selection), container, openLz4(), traffic);
}

async function run(number: number, task: Task): Promise<void> {
  try {
    if (!context) throw new Error('A task came before the set-up.');
    const result = await execute(task, await context, { part: (part) => say({ kind: 'part', number, part }) });
    say({ kind: 'done', number, result });
  } catch (error) {
    const ours = isClfsError(error);
    say({ kind: 'failed', number, code: ours ? error.code : 'worker', message: ours ? error.message : String((error as Error)?.stack ?? messageOf(error)) });
  }
}
