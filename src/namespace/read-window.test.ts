import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { ReadPlaces, ReadWindow } from './read-window.js';

describe('ReadWindow', () => {
  it('grows while the container has room, to a bound, and goes back when it has none', async () => {
    let room: () => void = () => undefined;
    let ready: Promise<void> | undefined;
    let asked = 0;
    const window = new ReadWindow({
      ready() {
        asked++;
        return ready;
      },
    });
    expect(window.size).toBe(64);
    for (let read = 0; read < 1000; read++) window.adapt();
    expect(window.size).toBe(256);
    ready = new Promise((resolve) => {
      room = resolve;
    });
    asked = 0;
    for (let read = 0; read < 1000; read++) window.adapt();
    expect(window.size).toBe(64);
    // Who waits in the container is not asked for again and again.
    expect(asked).toBe(1);
    ready = undefined;
    room();
    await sleep(0);
    window.adapt();
    expect(window.size).toBe(65);
  });
});

describe('ReadPlaces', () => {
  it('has as many at once as the window has, first come first served', async () => {
    const places = new ReadPlaces({ ready: () => undefined });
    let underWay = 0;
    let most = 0;
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 1000 }, async (_, number) => {
        const giveBack = await places.take();
        order.push(number);
        most = Math.max(most, ++underWay);
        await sleep(1);
        underWay--;
        giveBack();
      }),
    );
    expect(order).toEqual(Array.from({ length: 1000 }, (_, number) => number));
    expect(most).toBeGreaterThan(100);
    expect(most).toBeLessThanOrEqual(256);
  });
});
