import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../time/clock.js';
import { askHere, type Crew, openCrew } from './asker.js';
import { createInlineRunner } from './inline-runner.js';
import { joinRunners } from './joined-runner.js';
import type { Executors, Kind } from './kinds.js';
import { createLane, type Lane } from './lane.js';

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
      const answers = Array.from({ length: 50 }, (_, i) => crew.ask('double', i, 100, (part) => told.add(part)));
      expect(await Promise.all(answers)).toEqual(Array.from({ length: 50 }, (_, i) => 2 * i));
      await sleep(20);
    }
    expect([...told]).toContain('first');
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
    expect(await asker.ask('double', 4, 1, (part) => told.push(part))).toBe(8);
    expect(told).toEqual(['here']);
    await expect(asker.ask('double', -2, 1)).rejects.toThrow('-2 cannot be doubled');
  });
});
