import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { ClfsError } from '../error.js';
import type { Executors, Kind } from './kinds.js';
import { createLane } from './lane.js';
import { serveThread } from './serve-thread.js';
import type { FromThread, ToThread } from './thread-protocol.js';

interface TestKinds {
  readonly echo: Kind<string, string, string>;
  readonly fail: Kind<'ours' | 'stack' | 'text', never>;
}

interface Shared {
  greeting: string;
}

const EXECUTORS: Executors<TestKinds, Shared> = {
  async echo(task, { greeting }, part) {
    part(`about to echo ${task}`);
    return `${greeting} ${task}`;
  },
  async fail(task) {
    if (task === 'ours') throw new ClfsError('access-denied', 'The service refused.');
    if (task === 'stack') throw new TypeError('a fault');
    throw 'only text';
  },
};

type Message = ToThread<TestKinds, string, string>;

const ports: MessagePort[] = [];
afterEach(() => {
  for (const port of ports.splice(0)) port.close();
});

/** A thread's side that is served here, and what it says. */
function serve(open: 'well' | 'badly' = 'well') {
  const { port1, port2 } = new MessageChannel();
  ports.push(port1, port2);
  const calls: string[] = [];
  const said: FromThread<TestKinds>[] = [];
  let wake: () => void = () => undefined;
  port1.on('message', (message: FromThread<TestKinds>) => {
    said.push(message);
    wake();
  });
  serveThread<TestKinds, string, string>(port2, async (greeting, log) => {
    if (open === 'badly') throw new ClfsError('container-missing', 'There is no container.');
    const shared = { greeting };
    log(`open ${greeting}`);
    const ends = {
      stop: () => void calls.push('stop'),
      abandon: () => void calls.push('abandon'),
      close: async () => undefined,
    };
    return {
      lane: createLane(EXECUTORS, shared, ends),
      update: (renewed) => void Object.assign(shared, { greeting: renewed }),
    };
  });
  return {
    calls,
    tell: (...messages: readonly Message[]) => {
      for (const message of messages) port1.postMessage(message);
    },
    async hear(count: number) {
      while (said.length < count) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      return said;
    },
  };
}

const task = (ticket: number, text: string): Message => ({ say: 'task', ticket, task: { kind: 'echo', task: text } });

describe('a thread', () => {
  it('opens its lane once, and answers each task by its ticket, parts first', async () => {
    const { tell, hear } = serve();
    tell({ say: 'open', setup: 'hello' }, task(5, 'you'));
    expect(await hear(3)).toEqual([
      { say: 'log', text: 'open hello', detail: false },
      { say: 'part', ticket: 5, part: { kind: 'echo', part: 'about to echo you' } },
      { say: 'done', ticket: 5, result: { kind: 'echo', result: 'hello you' } },
    ]);
  });

  it('hands on what it is told while it runs', async () => {
    const { tell, hear, calls } = serve();
    tell(
      { say: 'open', setup: 'hello' },
      { say: 'update', update: 'good day' },
      { say: 'stop' },
      { say: 'abandon' },
      task(1, 'you'),
    );
    expect((await hear(3))[2]).toMatchObject({ result: { result: 'good day you' } });
    expect(calls).toEqual(['stop', 'abandon']);
  });

  it('says what a task threw, with the code of an error of ours', async () => {
    const { tell, hear } = serve();
    tell({ say: 'open', setup: 'hello' });
    for (const [ticket, how] of (['ours', 'stack', 'text'] as const).entries())
      tell({ say: 'task', ticket, task: { kind: 'fail', task: how } });
    const [, ours, stack, text] = await hear(4);
    expect(ours).toEqual({ say: 'failed', ticket: 0, code: 'access-denied', message: 'The service refused.' });
    expect(stack).toMatchObject({ say: 'failed', ticket: 1, code: 'worker' });
    expect(stack).toHaveProperty('message', expect.stringMatching(/^TypeError: a fault\n {4}at .*serve-thread/));
    expect(text).toEqual({ say: 'failed', ticket: 2, code: 'worker', message: 'only text' });
  });

  it('that cannot be opened says why to each task', async () => {
    const { tell, hear } = serve('badly');
    tell({ say: 'open', setup: '' }, { say: 'stop' }, { say: 'update', update: '' }, task(3, 'you'));
    expect(await hear(1)).toEqual([
      { say: 'failed', ticket: 3, code: 'container-missing', message: 'There is no container.' },
    ]);
  });

  it('does no task before it is set up', async () => {
    const { tell, hear } = serve();
    tell({ say: 'stop' }, task(4, 'you'));
    const [answer] = await hear(1);
    expect(answer).toMatchObject({ say: 'failed', ticket: 4, code: 'worker' });
    expect(answer).toHaveProperty('message', expect.stringContaining('A task came before the set-up.'));
  });
});
