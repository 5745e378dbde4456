import { setTimeout as pause } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { systemClock } from './clock.js';

it('a wait of months is not over at once', async () => {
  const ended: string[] = [];
  const stop = new AbortController();
  const slept = systemClock.sleep(60 * 86_400_000, stop.signal).then(() => ended.push('sleep'));
  const later = systemClock.after(60 * 86_400_000, () => ended.push('after'));
  await pause(20);
  expect(ended).toEqual([]);
  later.cancel();
  stop.abort();
  await slept;
  expect(ended).toEqual(['sleep']);
});
