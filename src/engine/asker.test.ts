import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../time/clock.js';
import { askHere, type Crew, openCrew } from './asker.js';
import { createInlineRunner } from './inline-runner.js';
import { joinRunners } from './joined-runner.js';
import type { Executors, Kind } from './kinds.js';
import { createLane, type Lane } from './lane.js';
import type { Runner, RunnerEvents } from './runner.js';

interface TestKinds {
  readonly double: Kind<number, number, string>;
  readonly hang: Kind<string, string>;
}

interface Shared {
  readonly name: string;
  readonly stop: AbortController;
}

const EXECUTORS: Executors<TestKinds, Shared> = {
  async double(task, { name }, tell) {
    if (task < 0) throw new Error(`${task} cannot be doubled`);
    await sleep(task % 3);
    tell(name);
    return 2 * task;
  },
  hang: (_task, { stop }) =>
    new Promise((_, reject) => {
      const hangUp = () => reject(new Error('hung up'));
      if (stop.signal.aborted) hangUp();
      stop.signal.addEventListener('abort', hangUp);
    }),
};

function lane(name: string): Lane<TestKinds> {
  const stop = new AbortController();
  return createLane(
    EXECUTORS,
    { name, stop },
    {
      stop: () => stop.abort(),
      abandon: () => stop.abort(),
      close: async (idle) => {
        stop.abort();
        await idle;
      },
    },
  );
}

function crewOf(signal?: AbortSignal): Crew<TestKinds> {
  const runner = joinRunners(createInlineRunner(lane('first')), createInlineRunner(lane('second')));
  return openCrew({ runner, clock: systemClock, allLanes: true, signal });
}

describe('a crew', () => {
  it('answers whoever asks, at any time, and hands on parts', async () => {
    const crew = crewOf();
    const told = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const answers = Array.from({ length: 50 }, (_, i) =>
        crew.ask('double', i, 100, { part: (part) => told.add(part) }),
      );
      expect(await Promise.all(answers)).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i));
      await sleep(20);
    }
    expect([...told]).toContain('first');
    await crew.close();
  });

  it('does anew what a lane that is gone had, and says so', async () => {
    let events: RunnerEvents<TestKinds> | undefined;
    const submitted: number[] = [];
    const runner: Runner<TestKinds> = {
      lanes: 0,
      remote: true,
      start(told) {
        events = told;
        setImmediate(() => told.remoteLanes(3));
      },
      submit: (_lane, ticket) => void submitted.push(ticket),
      stop: () => undefined,
      abandon: () => undefined,
      close: async () => undefined,
    };
    const crew = openCrew({ runner, clock: systemClock, allLanes: true, onlyRemote: true, signal: undefined });
    expect([crew.mayRepeat, crew.lanes]).toEqual([true, 1]);
    const told: string[] = [];
    const answer = crew.ask('double', 4, 1, { part: (part) => told.push(part), again: () => told.splice(0) });
    while (submitted.length < 1) await sleep(5);
    expect(crew.lanes).toBe(3);
    events?.part(submitted[0], { kind: 'double', part: 'lost' });
    events?.lost(submitted[0], 0, { share: 1 });
    while (submitted.length < 2) await sleep(5);
    events?.part(submitted[1], { kind: 'double', part: 'told' });
    // Of the lane that is gone nothing counts any more.
    events?.done(submitted[0], { kind: 'double', result: 7 });
    events?.done(submitted[1], { kind: 'double', result: 8 });
    expect(await answer).toBe(8);
    expect(told).toEqual(['told']);
    await crew.close();
  });

  it('ends with the name of what three lanes in a row have gone with', async () => {
    const runner: Runner<TestKinds> = {
      lanes: 0,
      remote: true,
      start: (told) => setImmediate(() => told.remoteLanes(1)),
      submit: (_lane, ticket) => void setImmediate(() => lose(ticket)),
      stop: () => undefined,
      abandon: () => undefined,
      close: async () => undefined,
    };
    const { start } = runner;
    let lose: (ticket: number) => void = () => undefined;
    runner.start = (told) => {
      lose = (ticket) => told.lost(ticket, 0, { share: 1 });
      start(told);
    };
    const crew = openCrew({ runner, clock: systemClock, allLanes: true, onlyRemote: true, signal: undefined });
    const answer = crew.ask('double', 4, 1, { subject: () => '"a/b"' });
    await expect(answer).rejects.toThrow('3 workers in a row have gone while they worked on "a/b"');
    await crew.close();
  });

  it('tells all who wait what one task threw, and whoever asks later', async () => {
    const crew = crewOf();
    const waiting = crew.ask('hang', '', 1);
    await expect(crew.ask('double', -1, 1)).rejects.toThrow('-1 cannot be doubled');
    await expect(waiting).rejects.toThrow('-1 cannot be doubled');
    await expect(crew.ask('double', 1, 1)).rejects.toThrow('-1 cannot be doubled');
    await crew.close();
  });

  it('ends with the reason of its signal', async () => {
    const stop = new AbortController();
    const crew = crewOf(stop.signal);
    const waiting = crew.ask('hang', '', 1);
    await sleep(20);
    stop.abort(new Error('a signal'));
    await expect(waiting).rejects.toThrow('a signal');
    await crew.close();
  });

  it('that is opened when its signal was aborted answers nothing, whatever the reason is', async () => {
    const crew = crewOf(AbortSignal.abort('only text'));
    await expect(crew.ask('double', 1, 1)).rejects.toThrow(new Error('only text'));
    await crew.close();
  });

  it('answers in the order of the questions where one lane takes one at a time, and lets parts go that nobody wants', async () => {
    const order: number[] = [];
    const runner = createInlineRunner(lane('only'));
    const crew = openCrew({ runner, clock: systemClock, allLanes: true, signal: undefined });
    expect(crew.lanes).toBe(1);
    await Promise.all(
      Array.from({ length: 600 }, (_, at) => crew.ask('double', 3 * at, 1024).then(() => void order.push(at))),
    );
    expect(order).toEqual(Array.from({ length: 600 }, (_, at) => at));
    await crew.close();
    await expect(crew.ask('double', 1, 1)).rejects.toThrow('The lanes have been closed.');
  });

  it('can be closed while something is under way', async () => {
    const crew = crewOf();
    const waiting = crew.ask('hang', '', 1);
    await sleep(20);
    const closed = crew.close();
    await expect(waiting).rejects.toThrow('have been closed');
    await closed;
  });
});

describe('asking here', () => {
  it('does the task in the calling thread', async () => {
    const asker = askHere(EXECUTORS, { name: 'here', stop: new AbortController() });
    const told: string[] = [];
    expect(await asker.ask('double', 4, 1, { part: (part) => told.push(part) })).toBe(8);
    expect(told).toEqual(['here']);
    await expect(asker.ask('double', -2, 1)).rejects.toThrow('-2 cannot be doubled');
  });
});
