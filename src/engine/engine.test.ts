import { describe, expect, it } from 'vitest';
import { HandRunner, ListPlan, type TestKinds, TestStore, work } from '../../test/support/hand-engine.js';
import { systemClock } from '../time/clock.js';
import { Engine } from './engine.js';
import type { Turn, Work } from './work.js';

function setUp(lanes = 1, remote?: { readonly onlyRemote: boolean }) {
  const plan = new ListPlan();
  const store = new TestStore();
  const runner = new HandRunner(lanes, remote !== undefined);
  const cancelled = () => new Error('cancelled');
  const engine = new Engine<TestKinds>({ plan, store, clock: systemClock, allLanes: true, ...remote, cancelled });
  const abort = new AbortController();
  return { plan, store, runner, engine, abort, run: () => engine.run(runner, abort.signal) };
}

const turns = (count = 3) => new Promise((resolve) => setTimeout(resolve, 15 * count));

describe('the engine', () => {
  it('ends when the plan has nothing more', async () => {
    const { plan, run } = setUp();
    plan.stages = 3;
    await run();
    expect(plan.stages).toBe(0);
  });

  it('hands work out only when the transaction that gave it is durable, and records results in one', async () => {
    const { plan, store, runner, run } = setUp();
    const seen: string[] = [];
    plan.waiting.push(
      work('note', { task: 'a', units: 1, done: (result) => void seen.push(`${result} after ${store.log.length}`) }),
    );
    runner.onSubmit = (ticket, { kind, task }) => {
      expect(store.log.length).toBe(1);
      if (kind === 'note') runner.events?.done(ticket, { kind, result: `did ${task}` });
    };
    await run();
    expect(seen).toEqual(['did a after 1']);
    expect(store.log.length).toBeGreaterThanOrEqual(2);
  });

  it('hands nothing out when the transaction fails, and ends with its reason', async () => {
    const { plan, store, runner, run } = setUp();
    store.failOn = 1;
    plan.waiting.push(work('note', { task: 'a', units: 1, done: () => undefined }));
    await expect(run()).rejects.toThrow('the disk is full');
    expect(runner.submitted).toEqual([]);
  });

  it('gives parts and the result to the work they belong to', async () => {
    const { plan, runner, run } = setUp();
    const seen: number[] = [];
    for (const id of [1, 2]) {
      plan.waiting.push(
        work('count', {
          task: { id },
          units: 1,
          part: ({ step }) => void seen.push(step),
          done: ({ sum }) => void seen.push(sum),
        }),
      );
    }
    runner.onSubmit = (ticket, { kind, task }) => {
      if (kind !== 'count') return;
      runner.events?.part(ticket, { kind, part: { step: task.id } });
      runner.events?.done(ticket, { kind, result: { sum: 10 * task.id } });
    };
    await run();
    expect([...seen].sort((a, b) => a - b)).toEqual([1, 2, 10, 20]);
  });

  it('takes an answer of another kind for a fault of the program', async () => {
    const { plan, runner, run } = setUp();
    plan.waiting.push(work('count', { task: { id: 1 }, units: 1, done: () => undefined }));
    runner.onSubmit = (ticket) => runner.events?.done(ticket, { kind: 'note', result: 'what?' });
    await expect(run()).rejects.toThrow('A task of kind count was answered as one of kind note.');
  });

  it('offers lost work again as its plan says, under another ticket, and drops what the lost one still tells', async () => {
    const { plan, runner, engine, run } = setUp();
    const seen: string[] = [];
    const make = (attempt: number): Work<TestKinds> =>
      work('note', {
        task: `try ${attempt}`,
        units: 1,
        done: (result) => void seen.push(result),
        lost: () => void plan.waiting.push(make(attempt + 1)),
      });
    plan.waiting.push(make(1));
    const running = run();
    await turns();
    const [first] = runner.submitted;
    runner.events?.lost(first.ticket, systemClock.monotonic() + 60_000, { share: 1 });
    await turns();
    runner.events?.done(first.ticket, { kind: 'note', result: 'late' });
    const second = runner.submitted[1];
    expect(second.task).toEqual({ kind: 'note', task: 'try 2' });
    expect(second.ticket).not.toBe(first.ticket);
    await turns();
    runner.events?.done(second.ticket, { kind: 'note', result: 'second' });
    await running;
    expect(seen).toEqual(['second']);
    expect(engine.settled).toBe(false);
    expect(engine.uncertainUntilMs).toBeGreaterThan(systemClock.monotonic());
  });

  it('submits lost work again as it is where its plan says nothing else', async () => {
    const { plan, runner, run } = setUp();
    plan.waiting.push(work('note', { task: 'again', units: 1, done: () => undefined }));
    const running = run();
    await turns();
    runner.events?.lost(runner.submitted[0].ticket, 0, { share: 0 });
    await turns();
    expect(runner.submitted.map(({ task }) => task.task)).toEqual(['again', 'again']);
    runner.events?.done(runner.submitted[1].ticket, { kind: 'note', result: '' });
    await running;
  });

  it('fills the lanes and no more', async () => {
    const { plan, runner, run } = setUp(3);
    for (let i = 0; i < 10; i++) plan.waiting.push(work('note', { task: `${i}`, units: 600, done: () => undefined }));
    const running = run();
    await turns();
    // Two of the three lanes are active; each takes a piece beyond what fills it.
    expect(runner.submitted.map(({ lane }) => lane).sort((a, b) => a - b)).toEqual([0, 0, 1, 1]);
    runner.onSubmit = (ticket) => runner.events?.done(ticket, { kind: 'note', result: '' });
    for (const { ticket } of [...runner.submitted]) runner.events?.done(ticket, { kind: 'note', result: '' });
    await running;
    expect(runner.submitted).toHaveLength(10);
  });

  it('stops for a signal: records what is under way, begins nothing', async () => {
    const { plan, runner, engine, abort, run } = setUp();
    const seen: string[] = [];
    const follow = (turn: Turn<TestKinds>) =>
      turn.give(work('note', { task: 'more', units: 1, done: () => undefined }));
    plan.waiting.push(
      work('note', {
        task: 'a',
        units: 1,
        done(result, turn) {
          seen.push(result);
          follow(turn);
        },
      }),
    );
    const running = run();
    await turns();
    abort.abort();
    await turns();
    expect(runner.calls.filter((call) => call !== 'recorded')).toEqual(['stop']);
    runner.events?.done(runner.submitted[0].ticket, { kind: 'note', result: 'did a' });
    await expect(running).rejects.toThrow('cancelled');
    expect(seen).toEqual(['did a']);
    expect(runner.submitted).toHaveLength(1);
    expect(engine.settled).toBe(true);
  });

  it('gives up what does not end when it is stopped', { timeout: 10_000 }, async () => {
    const { plan, runner, engine, abort, run } = setUp();
    plan.waiting.push(work('note', { task: 'for ever', units: 1, done: () => undefined }));
    const running = run();
    await turns();
    const begun = performance.now();
    abort.abort();
    await expect(running).rejects.toThrow('cancelled');
    expect(performance.now() - begun).toBeLessThan(6500);
    expect(runner.calls).toEqual(['stop', 'abandon']);
    expect(engine.settled).toBe(false);
  });

  it('waits for what else runs when a task fails, and ends with the first reason', async () => {
    const { plan, runner, run } = setUp();
    for (const task of ['a', 'b']) plan.waiting.push(work('note', { task, units: 1, done: () => undefined }));
    const running = run();
    await turns();
    runner.events?.failed(new Error('first'), runner.submitted[0].ticket);
    await turns();
    runner.events?.failed(new Error('second'), runner.submitted[1].ticket);
    await expect(running).rejects.toThrow('first');
  });

  it('ends at once when a lane cannot go on', async () => {
    const { plan, runner, run } = setUp();
    plan.waiting.push(work('note', { task: 'a', units: 1, done: () => undefined }));
    const running = run();
    await turns();
    runner.events?.failed(new Error('the thread died'));
    await expect(running).rejects.toThrow('the thread died');
  });

  it('stops when the plan says so, with its reason', async () => {
    const { plan, runner, run } = setUp();
    plan.waiting.push(work('note', { task: 'a', units: 1, done: (_result, turn) => turn.stop(new Error('enough')) }));
    runner.onSubmit = (ticket) => runner.events?.done(ticket, { kind: 'note', result: '' });
    await expect(run()).rejects.toThrow('enough');
  });

  it('begins nothing when its signal was aborted before', async () => {
    const { plan, runner, abort, run } = setUp();
    plan.waiting.push(work('note', { task: 'a', units: 1, done: () => undefined }));
    abort.abort();
    await expect(run()).rejects.toThrow('cancelled');
    expect(runner.submitted).toEqual([]);
    expect(runner.calls).toEqual(['stop']);
  });

  it('gives a further lane work when the first is full and there is much to send, without waiting for a task to end', async () => {
    const plan = new ListPlan();
    const runner = new HandRunner(3);
    const engine = new Engine<TestKinds>({
      plan,
      store: new TestStore(),
      clock: systemClock,
      allLanes: false,
      cancelled: () => new Error('cancelled'),
    });
    for (const task of ['a', 'b', 'c']) plan.waiting.push(work('note', { task, units: 1024, done: () => undefined }));
    plan.bytes = 1;
    const running = engine.run(runner, new AbortController().signal);
    await turns();
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([0]);
    expect(engine.lanes).toEqual({ first: 0, end: 1 });
    plan.bytes = 1e12;
    while (runner.submitted.length < 2) await turns(1);
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([0, 1]);
    expect(engine.lanes.end).toBe(2);
    runner.onSubmit = (ticket) => runner.events?.done(ticket, { kind: 'note', result: '' });
    for (const { ticket } of [...runner.submitted]) runner.events?.done(ticket, { kind: 'note', result: '' });
    await running;
    expect(runner.submitted).toHaveLength(3);
  });

  it('goes on when the plan is told to have work again', async () => {
    const { plan, runner, engine, run } = setUp();
    plan.advance = () => (plan.stages > 0 ? 'wait' : 'end');
    runner.onSubmit = (ticket) => runner.events?.done(ticket, { kind: 'note', result: '' });
    const running = run();
    await turns();
    expect(runner.submitted).toEqual([]);
    plan.waiting.push(work('note', { task: 'later', units: 1, done: () => void plan.stages-- }));
    engine.wake();
    await running;
    expect(runner.submitted).toHaveLength(1);
  });

  it('waits without end, and without asking its plan to go on, while all lanes are elsewhere and there is none', async () => {
    const { plan, runner, run } = setUp(1, { onlyRemote: true });
    const seen: string[] = [];
    for (const task of ['a', 'b'])
      plan.waiting.push(work('note', { task, units: 1024, done: (result) => void seen.push(result) }));
    const running = run();
    await turns();
    // One waits for whoever comes.
    expect(runner.submitted).toHaveLength(1);
    expect(plan.stages).toBe(1);
    runner.onSubmit = (ticket, { kind, task }) => {
      if (kind === 'note') runner.events?.done(ticket, { kind, result: task });
    };
    runner.events?.remoteLanes(1);
    runner.events?.done(runner.submitted[0].ticket, { kind: 'note', result: 'a' });
    await running;
    expect(seen).toEqual(['a', 'b']);
    // The lane behind its own stands for all that are elsewhere.
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([1, 1]);
  });

  it('ends without lanes elsewhere, where they alone work, when there is nothing left to do', async () => {
    const { plan, run } = setUp(1, { onlyRemote: true });
    plan.stages = 3;
    await run();
    expect(plan.stages).toBe(0);
  });

  it('fills lanes elsewhere as they come, and its own beside them', async () => {
    const { plan, runner, run } = setUp(2, { onlyRemote: false });
    for (let i = 0; i < 20; i++) plan.waiting.push(work('note', { task: `${i}`, units: 1024, done: () => undefined }));
    const running = run();
    await turns();
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([0]);
    runner.events?.remoteLanes(3);
    await turns();
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([0, 2, 2, 2]);
    runner.onSubmit = (ticket) => runner.events?.done(ticket, { kind: 'note', result: '' });
    for (const { ticket } of [...runner.submitted]) runner.events?.done(ticket, { kind: 'note', result: '' });
    await running;
    expect(runner.submitted).toHaveLength(20);
  });

  it('goes on with its own lanes with what lanes elsewhere have begun, when the last of those has gone', async () => {
    const { plan, runner, run } = setUp(2, { onlyRemote: false });
    const part = (lane?: number): Work<TestKinds> =>
      work('note', {
        task: 'part',
        units: 1,
        lane,
        done: (result, turn: Turn<TestKinds>, ranOn) => {
          if (result === 'more') turn.give(part(ranOn));
        },
      });
    plan.waiting.push(work('note', { task: 'full', units: 1024, done: () => undefined }), part());
    const running = run();
    runner.events?.remoteLanes(1);
    await turns();
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([0, 2]);
    const [first, begun] = runner.submitted;
    runner.events?.done(begun.ticket, { kind: 'note', result: 'more' });
    runner.events?.remoteLanes(0);
    await turns();
    expect(runner.submitted.map(({ lane }) => lane)).toEqual([0, 2, 0]);
    for (const { ticket } of [first, runner.submitted[2]]) runner.events?.done(ticket, { kind: 'note', result: '' });
    await running;
  });

  it('says when what it was told is recorded', async () => {
    const { plan, store, runner, run } = setUp();
    plan.waiting.push(work('note', { task: 'a', units: 1, done: () => undefined }));
    let commits = 0;
    runner.recorded = () => {
      commits = store.log.length;
    };
    runner.onSubmit = (ticket) => {
      commits = 0;
      runner.events?.done(ticket, { kind: 'note', result: '' });
    };
    await run();
    expect(commits).toBe(2);
  });

  it('ends with the name of what three lanes in a row have gone with, and not for lanes that went for other reasons', async () => {
    const { plan, runner, run } = setUp();
    plan.waiting.push(work('note', { task: 'a', units: 1, subject: () => '"/bad"', done: () => undefined }));
    const running = run();
    for (const [at, share] of [1, 0, 1, 0, 1].entries()) {
      await turns();
      expect(runner.submitted).toHaveLength(at + 1);
      runner.events?.lost(runner.submitted[at].ticket, 0, { share });
    }
    await expect(running).rejects.toThrow('3 workers in a row have gone while they worked on "/bad"');
    expect(runner.submitted).toHaveLength(5);
  });
});
