import { parentPort } from 'node:worker_threads';
import type { Authorization } from '../container/azure/blob-service.js';
import { Traffic } from '../container/traffic.js';
import { isClfsError, messageOf } from '../error.js';
import type { WorkContext } from './context.js';
import { execute } from './execute.js';
import { openLane } from './open-lane.js';
import type { Task } from './tasks.js';
import type { FromThread, ToThread } from './thread-protocol.js';

if (!parentPort) throw new Error('This file is the entry of a worker thread.');
const port = parentPort;
const authorization: Authorization = { query: '', bearer: '' };
let context: Promise<WorkContext> | undefined;

port.on('message', (message: ToThread) => {
  if (message.kind === 'setup') {
    const { setup } = message;
    Object.assign(authorization, setup.authorization);
    context = openLane(setup, authorization, new Traffic(setup.traffic, setup.slot), (text) => say({ kind: 'log', text }));
    context.catch(() => undefined);
  } else if (message.kind === 'authorize') Object.assign(authorization, message.authorization);
  else if (message.kind === 'task') void run(message.number, message.task);
  else context?.then((lane) => end(lane, message.kind)).catch(() => undefined);
});

function say(message: FromThread): void {
  port.postMessage(message);
}

function end(lane: WorkContext, how: 'stop' | 'abandon'): Promise<void> | undefined {
  lane.stop.asked = true;
  lane.stop.abandoned = how === 'abandon';
  return lane.stop.abandoned ? lane.container.close() : undefined;
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
