import { describe, expect, it } from 'vitest';
import { createInlineRunner } from '../src/engine/inline-runner.js';
import { joinRunners } from '../src/engine/joined-runner.js';
import type { Kind, TaskMessage } from '../src/engine/kinds.js';
import { createLane, type Lane } from '../src/engine/lane.js';
import { runAll } from '../src/engine/run-all.js';
import type { Runner } from '../src/engine/runner.js';
import { createThreadRunner, type ThreadRunner } from '../src/engine/thread-runner.js';
import { echoLane } from './support/echo-lane.mjs';

interface EchoKinds {
  readonly echo: Kind<string, string>;
  readonly count: Kind<{ readonly to: number }, number, number>;
  readonly wait: Kind<{ readonly until: 'stop' | 'abandon' }, string>;
  readonly fail: Kind<string, never>;
  readonly die: Kind<null, never>;
}

const inline = () =>
  createInlineRunner<EchoKinds>(echoLane(createLane, { greeting: 'hello' }, () => undefined) as Lane<EchoKinds>);
const inThreads = (lanes = 2, log: (text: string) => void = () => undefined): ThreadRunner<EchoKinds, string> =>
  createThreadRunner<EchoKinds, { readonly greeting: string }, string>({
    lanes,
    entry: new URL('./support/echo-thread.mjs', import.meta.url),
    setupOf: () => ({ greeting: 'hello' }),
    log,
  });

/** Everything that a runner tells, and a way to wait for it. */
class Listener {
  readonly told: string[] = [];
  #wake: () => void = () => undefined;

  constructor(runner: Runner<EchoKinds>) {
    const tell = (text: string) => {
      this.told.push(text);
      this.#wake();
    };
    runner.start({
      part: (ticket, { kind, part }) => tell(`${ticket} part ${kind} ${String(part)}`),
      done: (ticket, { kind, result }) => tell(`${ticket} done ${kind} ${String(result)}`),
      lost: (ticket) => tell(`${ticket} lost`),
      remoteLanes: () => undefined,
      failed: (error, ticket) => tell(`${ticket ?? '-'} failed ${(error as Error).message.split('\n')[0]}`),
    });
  }

  async until(count: number): Promise<void> {
    while (this.told.length < count) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}

const RUNNERS: readonly [string, () => Runner<EchoKinds>][] = [
  ['in the calling thread', inline],
  ['two joined', () => joinRunners(inline(), inline())],
  ['in threads', inThreads],
  ['in the calling thread and in threads', () => joinRunners<EchoKinds>(inline(), inThreads())],
];

describe.each(RUNNERS)('a runner %s', (_name, create) => {
  const run = async (use: (runner: Runner<EchoKinds>, listener: Listener) => Promise<void>) => {
    const runner = create();
    try {
      await use(runner, new Listener(runner));
    } finally {
      await runner.close();
    }
  };
  const echo = (task: string): TaskMessage<EchoKinds> => ({ kind: 'echo', task });

  it('answers each task on each of its lanes by its ticket, never from inside the submission', () =>
    run(async (runner, listener) => {
      for (let lane = 0; lane < runner.lanes; lane++) runner.submit(lane, lane + 1, echo(`lane ${lane}`), 1);
      expect(listener.told).toEqual([]);
      await listener.until(runner.lanes);
      const wanted = Array.from({ length: runner.lanes }, (_, lane) => `${lane + 1} done echo hello lane ${lane}`);
      expect([...listener.told].sort()).toEqual(wanted);
    }));

  it('tells parts in order, before the result', () =>
    run(async (runner, listener) => {
      runner.submit(runner.lanes - 1, 5, { kind: 'count', task: { to: 3 } }, 1);
      await listener.until(4);
      expect(listener.told).toEqual(['5 part count 1', '5 part count 2', '5 part count 3', '5 done count 3']);
    }));

  it('does several tasks of a lane side by side', () =>
    run(async (runner, listener) => {
      runner.submit(0, 1, { kind: 'wait', task: { until: 'stop' } }, 1);
      runner.submit(0, 2, echo('meanwhile'), 1);
      await listener.until(1);
      expect(listener.told).toEqual(['2 done echo hello meanwhile']);
      runner.stop();
      await listener.until(2);
      expect(listener.told[1]).toBe('1 done wait stop');
    }));

  it('has tasks that do not stop given up', () =>
    run(async (runner, listener) => {
      for (let lane = 0; lane < runner.lanes; lane++)
        runner.submit(lane, lane, { kind: 'wait', task: { until: 'abandon' } }, 1);
      for (let lane = 0; lane < runner.lanes; lane++) runner.submit(lane, 10 + lane, echo('ready'), 1);
      await listener.until(runner.lanes);
      runner.stop();
      runner.abandon();
      await listener.until(2 * runner.lanes);
      expect(listener.told.filter((text) => text.endsWith('done wait abandon'))).toHaveLength(runner.lanes);
    }));

  it('tells what a task threw', () =>
    run(async (runner, listener) => {
      runner.submit(runner.lanes - 1, 9, { kind: 'fail', task: 'no good' }, 1);
      await listener.until(1);
      expect(listener.told[0]).toMatch(/^9 failed (Error: )?no good$/);
    }));

  it('tells nothing any more once it is closed, and can be closed twice', async () => {
    const runner = create();
    const listener = new Listener(runner);
    runner.submit(0, 1, { kind: 'wait', task: { until: 'abandon' } }, 1);
    await runner.close();
    await runner.close();
    expect(listener.told).toEqual([]);
  });

  it('runs many tasks of one kind, and gives their results in order', () =>
    run(async (runner) => {
      const tasks = Array.from({ length: 40 }, (_, at) => `${at}`);
      const parts = {
        runner,
        lanes: { first: 0, end: runner.lanes },
        signal: new AbortController().signal,
        cancelled: () => new Error('cancelled'),
      };
      expect(await runAll<EchoKinds, 'echo'>(parts, 'echo', tasks)).toEqual(tasks.map((task) => `hello ${task}`));
      await expect(runAll<EchoKinds, 'fail'>(parts, 'fail', ['a', 'b'])).rejects.toThrow('a');
      const aborted = { ...parts, signal: AbortSignal.abort() };
      await expect(runAll<EchoKinds, 'echo'>(aborted, 'echo', tasks)).rejects.toThrow('cancelled');
    }));
});

describe('threads', () => {
  it('are started with their first task, told of updates, and write to the log', async () => {
    const log: string[] = [];
    const runner = inThreads(3, (text) => log.push(text));
    const listener = new Listener(runner);
    runner.submit(1, 1, { kind: 'echo', task: 'a' }, 1);
    await listener.until(1);
    expect(log).toEqual(['open hello']);
    runner.update('good day');
    runner.submit(1, 2, { kind: 'echo', task: 'b' }, 1);
    await listener.until(2);
    expect(listener.told).toEqual(['1 done echo hello a', '2 done echo good day b']);
    await runner.close();
  });

  it('that end by themselves end the job', async () => {
    const runner = inThreads(1);
    const listener = new Listener(runner);
    runner.submit(0, 1, { kind: 'die', task: null }, 1);
    await listener.until(1);
    expect(listener.told[0]).toContain('- failed A worker thread ended: exit code 7');
    await runner.close();
  });
});
