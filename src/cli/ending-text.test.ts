import { describe, expect, it } from 'vitest';
import { failureLines } from './ending-text.js';

describe('what failed, by reason', () => {
  const root = Buffer.from('/data');
  const first = ['a', 'b', 'c'].map((name) => Buffer.from(name));

  it('is told with its first paths', () => {
    expect(failureLines({ root, failures: [{ reason: 'entry-changed', entries: 3, names: 3, first }] })).toEqual([
      'Failed, entry-changed: 3 entries',
      '  /data/a',
      '  /data/b',
      '  /data/c',
    ]);
  });

  it('has the names of a linked file, which counts once: each is a line of the reports', () => {
    expect(failureLines({ root, failures: [{ reason: 'entry-changed', entries: 1, names: 507, first }] })).toEqual([
      'Failed, entry-changed: 1 entry (507 names)',
      '  /data/a',
      '  /data/b',
      '  /data/c',
      '  …',
    ]);
  });
});
