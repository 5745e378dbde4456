import { describe, expect, it } from 'vitest';
import type { Kind, TaskMessage } from './kinds.js';
import { runAll } from './run-all.js';
import type { Runner, RunnerEvents } from './runner.js';

interface TestKinds {
  readonly double: Kind<number, number, string>;
  readonly other: Kind<string, string>;
}

interface Submission {
  readonly lane: number;
  readonly ticket: number;
  readonly task: number;
}

/** A runner that a test answers for. */
class HandRunner implements Runner<TestKinds> {
  readonly lanes = 3;
  readonly submitted: Submission[] = [];
  events: RunnerEvents<TestKinds> | undefined;

  start(events: RunnerEvents<TestKinds>): void {
    this.events = events;
  }

  submit(lane: number, ticket: number, { task }: TaskMessage<TestKinds>): void {
    this.submitted.push({ lane, ticket, task: task as number });
  }

  answer({ ticket, task }: Submission): void {
    this.events?.done(ticket, { kind: 'double', result: 2 * task });
  }

  stop(): void {}
  abandon(): void {}
  async close(): Promise<void> {}
}

function begin(tasks: readonly number[], abort = new AbortController()) {
  const runner = new HandRunner();
  const parts = {
    runner,
    lanes: { first: 1, end: 3 },
    signal: abort.signal,
    cancelled: (): unknown => new Error('cancelled'),
  };
  return { runner, abort, parts, results: runAll<TestKinds, 'double'>(parts, 'double', tasks) };
}

const upTo = (count: number) => Array.from({ length: count }, (_, at) => at);

describe('tasks without an order', () => {
  it('go to the lanes that are given, four to each, and the next one where one has ended', async () => {
    const { runner, results } = begin(upTo(10));
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([1, 2, 1, 2, 1, 2, 1, 2]);
    runner.answer(runner.submitted[3]);
    expect(runner.submitted.at(-1)).toEqual({ lane: 2, ticket: 8, task: 8 });
    runner.answer(runner.submitted[2]);
    expect(runner.submitted.at(-1)).toEqual({ lane: 1, ticket: 9, task: 9 });
    for (const at of [9, 8, 7, 6, 5, 4, 1, 0]) runner.answer(runner.submitted[at]);
    expect(await results).toEqual(upTo(10).map((task) => 2 * task));
  });

  it('need not be any', async () => {
    const { runner, results } = begin([]);
    expect(await results).toEqual([]);
    expect(runner.submitted).toEqual([]);
  });

  it('are given again to their lane when they were lost; parts of them are of no account', async () => {
    const { runner, results } = begin([7]);
    runner.events?.part(0, { kind: 'double', part: 'half' });
    runner.events?.lost(0, 0, { share: 1 });
    expect(runner.submitted).toEqual(new Array(2).fill({ lane: 1, ticket: 0, task: 7 }));
    runner.answer(runner.submitted[1]);
    expect(await results).toEqual([14]);
  });

  it('end with the first error, and none is begun after it', async () => {
    const { runner, results } = begin(upTo(10));
    runner.events?.failed('no good', 1);
    runner.events?.failed(new Error('second'), 2);
    runner.answer(runner.submitted[0]);
    await expect(results).rejects.toThrow(new Error('no good'));
    expect(runner.submitted).toHaveLength(8);
  });

  it('are not answered as another kind', async () => {
    const { runner, results } = begin([1]);
    runner.events?.done(0, { kind: 'other', result: '2' });
    await expect(results).rejects.toThrow('A task was answered as one of kind other.');
  });

  it('end with the reason of the caller when its signal is aborted, also before', async () => {
    const { abort, results } = begin([1]);
    abort.abort();
    await expect(results).rejects.toThrow('cancelled');
    const { runner, results: late } = begin([1], abort);
    await expect(late).rejects.toThrow('cancelled');
    expect(runner.submitted).toEqual([]);
  });
});
