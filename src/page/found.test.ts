import { describe, expect, it } from 'vitest';
import { FoundBatches, FoundList } from './found.js';

describe('what a command finds', () => {
  it('is counted by kind, whatever comes, and its first are kept and found by words', () => {
    const batches = new FoundBatches();
    const list = new FoundList();
    expect(batches.take()).toBeUndefined();
    for (let at = 0; at < 5000; at++) {
      batches.add(
        { kind: at % 10 === 0 ? 'only in the source' : 'different', path: `Dir/f${at}`, text: `size ${at}` },
        at,
      );
      if (at % 700 === 0) list.add(batches.take() ?? { counts: [], rows: [] });
    }
    list.add(batches.take() ?? { counts: [], rows: [] });
    expect(list.failures).toEqual({
      groups: [
        { reason: 'different', entries: 4500, first: ['Dir/f1', 'Dir/f2', 'Dir/f3'] },
        { reason: 'only in the source', entries: 500, first: ['Dir/f0', 'Dir/f10', 'Dir/f20'] },
      ],
      listed: 5000,
    });
    expect(list.search('', 0, 5000).rows.length).toBe(2000);
    const found = list.search('SOURCE dir', 0);
    expect([found.rows.length, found.next]).toEqual([25, 25]);
    expect(list.search('source dir', 25).rows[0].path).toBe('Dir/f250');
    expect(list.search('f1999 size', 0)).toEqual({
      rows: [{ path: 'Dir/f1999', reason: 'different', message: 'size 1999', attempts: 1, timeMs: 1999 }],
    });
    expect(list.search('nothing', -5)).toEqual({ rows: [] });
  });
});
