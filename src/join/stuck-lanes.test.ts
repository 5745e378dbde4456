import { expect, it } from 'vitest';
import { WaitBoard } from '../waits/wait-board.js';
import { STUCK_MS, StuckLanes } from './stuck-lanes.js';

it('what lanes of a worker wait for is named, whichever of them does and whatever it is', () => {
  let ms = 5000;
  const clock = {
    now: () => ms,
    monotonic: () => ms,
    sleep: async () => undefined,
    after: () => ({ cancel: () => undefined }),
  };
  const boards = [new WaitBoard(), new WaitBoard()];
  const stuck = new StuckLanes(boards, clock);
  const target = boards[1].slot('target');
  expect(stuck.waitsFor(0)).toBeUndefined();
  target.tell({ sinceMs: ms, directory: Buffer.from('d'), name: Buffer.from('f') });
  ms += STUCK_MS - 1;
  expect(stuck.waitsFor(STUCK_MS)).toBeUndefined();
  expect(stuck.waitsFor(60_000)).toBe('the target has not answered for 120 s: d/f');
  ms += 1000;
  expect(stuck.waitsFor(STUCK_MS)).toBe('the target has not answered for 121 s: d/f');
  target.tell(undefined);
  ms += 1000;
  expect(stuck.waitsFor(60_000)).toBeUndefined();
});
