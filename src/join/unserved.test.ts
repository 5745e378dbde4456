import { expect, it } from 'vitest';
import { Traffic } from '../container/traffic.js';
import { UNSERVED_MS, unservedText } from './unserved.js';

it('a worker that the service does not answer is known for it, and one that waits for a while is not', () => {
  const [first, second] = [new Traffic(2), new Traffic(2)];
  const lane = new Traffic(first.memory, 1);
  lane.setWaitingSince(1_000_000);
  expect(unservedText(first, 1_000_000 + UNSERVED_MS - 1)).toBeUndefined();
  expect(unservedText(first, 1_000_000 + UNSERVED_MS)).toBe('the service has not answered for 300 s');
  lane.setWaitingSince(0);
  expect(unservedText(first, 1_000_000 + UNSERVED_MS)).toBeUndefined();
  expect(unservedText(second, 2 * UNSERVED_MS)).toBeUndefined();
});
