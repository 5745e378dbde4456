import { describe, expect, it } from 'vitest';
import { StallWatch } from './stall-watch.js';
import { WaitBoard } from './wait-board.js';

const named = (text: string) => Buffer.from(text);
const NOTHING = Buffer.alloc(0);

describe('what has been waited for longest', () => {
  it('is of its own path, whatever else the lane did since', () => {
    const board = new WaitBoard();
    const slot = board.slot('source');
    const watch = new StallWatch([board]);
    expect(watch.look(1)).toBeUndefined();
    slot.tell({ sinceMs: 5, directory: named('d3'), name: named('on-hold') });
    slot.blocks(named('d0'), named('quick'));
    expect(watch.look(6)).toEqual({ place: 'source', sinceMs: 5, path: named('d3/on-hold') });
    slot.unblocks();
    expect(watch.look(7)).toEqual({ place: 'source', sinceMs: 5, path: named('d3/on-hold') });
    slot.tell(undefined);
    expect(watch.look(8)).toBeUndefined();
  });

  it('is the call that holds up the thread, from when it was seen, where nothing else has waited for longer', () => {
    const board = new WaitBoard();
    const slot = board.slot('target');
    const watch = new StallWatch([new WaitBoard(), board]);
    slot.blocks(named('a'), named('b'));
    expect(watch.look(10)).toEqual({ place: 'target', sinceMs: 10, path: named('a/b') });
    slot.tell({ sinceMs: 11, directory: named('later'), name: NOTHING });
    expect(watch.look(12)).toEqual({ place: 'target', sinceMs: 10, path: named('a/b') });
    slot.unblocks();
    slot.blocks(NOTHING, named('c'));
    expect(watch.look(13)).toEqual({ place: 'target', sinceMs: 11, path: named('later') });
  });

  it('keeps the beginning of a name that is too long', () => {
    const board = new WaitBoard();
    board.slot('source').blocks(Buffer.alloc(2000, 'd'), Buffer.alloc(1100, 'n'));
    expect(new StallWatch([board]).look(1)?.path).toEqual(Buffer.alloc(1024, 'n'));
  });
});
