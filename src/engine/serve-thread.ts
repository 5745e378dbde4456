import type { MessagePort } from 'node:worker_threads';
import { isClfsError, messageOf } from '../error.js';
import type { Kinds } from './kinds.js';
import type { Lane, LaneLog } from './lane.js';
import type { FromThread, ToThread } from './thread-protocol.js';

/** A lane that can be told something while it runs. */
export interface ThreadLane<M extends Kinds<M>, Update> {
  readonly lane: Lane<M>;
  update(update: Update): void;
}

/**
 * Does what the main thread asks for, until the thread is ended.
 *
 * @param open opens the thread's lane; `log` writes a line of the job's log
 */
export function serveThread<M extends Kinds<M>, Setup, Update>(
  port: MessagePort,
  open: (setup: Setup, log: LaneLog) => Promise<ThreadLane<M, Update>>,
): void {
  const say = (message: FromThread<M>) => port.postMessage(message);
  let opened: Promise<ThreadLane<M, Update>> | undefined;
  const withLane = (use: (opened: ThreadLane<M, Update>) => void) => {
    opened?.then(use).catch(() => undefined);
  };
  port.on('message', (message: ToThread<M, Setup, Update>) => {
    switch (message.say) {
      case 'open':
        opened = open(message.setup, (text, detail = false) => say({ say: 'log', text, detail }));
        opened.catch(() => undefined);
        return;
      case 'task':
        void run(message.ticket, message.task);
        return;
      case 'update':
        withLane((thread) => thread.update(message.update));
        return;
      case 'stop':
        withLane(({ lane }) => lane.stop());
        return;
      case 'abandon':
        withLane(({ lane }) => lane.abandon());
    }
  });

  async function run(ticket: number, task: Parameters<Lane<M>['execute']>[0]): Promise<void> {
    try {
      if (!opened) throw new Error('A task came before the set-up.');
      const { lane } = await opened;
      say({ say: 'done', ticket, result: await lane.execute(task, (part) => say({ say: 'part', ticket, part })) });
    } catch (error) {
      const ours = isClfsError(error);
      const message = ours ? error.message : String((error as Error)?.stack ?? messageOf(error));
      say({ say: 'failed', ticket, code: ours ? error.code : 'worker', message });
    }
  }
}
