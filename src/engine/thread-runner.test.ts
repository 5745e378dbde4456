import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { Kind } from './kinds.js';
import { createThreadRunner, type ThreadRunner } from './thread-runner.js';

interface TestKinds {
  readonly any: Kind<unknown, unknown, unknown>;
}

const runners: ThreadRunner<TestKinds, string>[] = [];
afterEach(async () => {
  for (const runner of runners.splice(0)) await runner.close();
});

/** A runner of threads that run `code` for each message that they get, and what it tells. */
function runnerOf(code: string, lanes = 2) {
  const module = `import { parentPort as port } from 'node:worker_threads';
    port.on('message', (message) => { ${code} });`;
  const log: string[] = [];
  const setups: number[] = [];
  const runner = createThreadRunner<TestKinds, { readonly lane: number }, string>({
    lanes,
    entry: new URL(`data:text/javascript,${encodeURIComponent(module)}`),
    setupOf(lane) {
      setups.push(lane);
      return { lane };
    },
    log: (text) => void log.push(text),
  });
  runners.push(runner);
  const told: unknown[] = [];
  let wake: () => void = () => undefined;
  const tell = (...event: readonly unknown[]) => {
    told.push(event);
    wake();
  };
  runner.start({
    part: (ticket, { part }) => tell('part', ticket, part),
    done: (ticket, { result }) => tell('done', ticket, result),
    lost: (ticket) => tell('lost', ticket),
    remoteLanes: () => undefined,
    failed: (error, ticket) => tell('failed', error, ticket),
  });
  const until = async (count: number) => {
    while (told.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    return told;
  };
  return { runner, log, setups, until };
}

const TASK = { kind: 'any', task: 'a task' } as const;

describe('threads of a runner', () => {
  it('are begun with their first task, and told their set-up before it, once', async () => {
    const { runner, setups, until } = runnerOf(
      `port.postMessage({ say: 'done', ticket: message.ticket ?? -1, result: { kind: 'any', result: message } });`,
    );
    expect([runner.lanes, setups]).toEqual([2, []]);
    runner.submit(1, 7, TASK, 1);
    runner.submit(1, 8, TASK, 1);
    expect(await until(3)).toEqual([
      ['done', -1, { say: 'open', setup: { lane: 1 } }],
      ['done', 7, { say: 'task', ticket: 7, task: TASK }],
      ['done', 8, { say: 'task', ticket: 8, task: TASK }],
    ]);
    expect(setups).toEqual([1]);
    runner.update('renewed');
    runner.stop();
    runner.abandon();
    expect((await until(6)).slice(3)).toEqual([
      ['done', -1, { say: 'update', update: 'renewed' }],
      ['done', -1, { say: 'stop' }],
      ['done', -1, { say: 'abandon' }],
    ]);
  });

  it('tell parts, lines for the log, and what failed with its code', async () => {
    const { runner, log, until } = runnerOf(`
      if (message.say !== 'task') return;
      port.postMessage({ say: 'log', text: 'a line' });
      port.postMessage({ say: 'part', ticket: 1, part: { kind: 'any', part: 'a part' } });
      port.postMessage({ say: 'failed', ticket: 1, code: 'service', message: 'no answer' });`);
    runner.submit(0, 1, TASK, 1);
    const [part, [, error, ticket]] = (await until(2)) as unknown[][];
    expect(part).toEqual(['part', 1, 'a part']);
    expect(log).toEqual(['a line']);
    expect(error).toMatchObject({ name: 'ClfsError', code: 'service', message: 'no answer' });
    expect(ticket).toBe(1);
  });

  it.each([
    ['that throws', `throw new TypeError('a fault');`, /^A worker thread ended: a fault\. The job can be resumed/],
    ['that ends', `process.exit(9);`, /^A worker thread ended: exit code 9\. The job can be resumed/],
  ])('one %s ends the job, without a ticket, with its reason', async (_, code, message) => {
    const { runner, until } = runnerOf(code);
    runner.submit(0, 1, TASK, 1);
    const [event] = await until(1);
    expect(event).toEqual(['failed', expect.objectContaining({ code: 'worker' }), undefined]);
    expect(((event as unknown[])[1] as Error).message).toMatch(message);
  });

  it('have not ended, when they are closed, as long as one hangs in a call of the system', async () => {
    const base = mkdtempSync(join(tmpdir(), 'clfs-ended-'));
    const fifo = join(base, 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { runner, until } = runnerOf(
      `port.postMessage({ say: 'done', ticket: 1, result: { kind: 'any', result: 'hangs' } });
       import('node:fs').then(({ openSync }) => openSync(${JSON.stringify(fifo)}, 'r'));`,
    );
    let ended = false;
    const hasEnded = runner.ended.then(() => {
      ended = true;
    });
    runner.submit(0, 1, TASK, 1);
    await until(1);
    // It has called by then.
    await new Promise((resolve) => setTimeout(resolve, 500));
    await runner.close();
    expect(ended).toBe(false);
    // Now the call comes back.
    closeSync(openSync(fifo, 'w'));
    await hasEnded;
    rmSync(base, { recursive: true });
  });

  it('are silent once they are closed', async () => {
    const { runner, until } = runnerOf(
      `port.postMessage({ say: 'done', ticket: 0, result: { kind: 'any', result: message.say } });`,
    );
    runner.submit(0, 1, TASK, 1);
    const before = [...(await until(2))];
    runner.update('more');
    await runner.close();
    await runner.close();
    expect(await until(2)).toEqual(before);
  });
});
