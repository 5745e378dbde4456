import { describe, expect, it } from 'vitest';
import { KeptParts } from './kept-parts.js';
import { linkKey, parseLinkKey } from './link-key.js';
import type { DirectoryPart } from './tasks/kinds.js';

const part = (text: string, some: number) => ({
  chunks: Array.from({ length: some }, (_, at) => Buffer.from(`${text} ${at}`)),
  missing: [Buffer.from(`${text} is missing`)],
  extra: [],
});

/** All of them as bytes, with what belongs to what. */
function bytesOf(parts: Iterable<DirectoryPart>): Buffer {
  const bytes: Uint8Array[] = [];
  for (const { chunks, missing, extra } of parts)
    for (const [at, list] of [chunks, missing, extra].entries())
      bytes.push(Buffer.from(`${at} ${list.length}`), ...list);
  return Buffer.concat(bytes);
}

describe('parts that are kept', () => {
  it('are what was told, in its order, also when there are many', () => {
    const kept = new KeptParts();
    const parts = Array.from({ length: 300 }, (_, at) => part(`${at} ${'x'.repeat(20_000)}`, at % 3));
    for (const each of parts) kept.add(each);
    expect(bytesOf(kept.all()).equals(bytesOf(parts))).toBe(true);
    kept.clear();
  });

  it('are those of the last try', () => {
    const kept = new KeptParts();
    kept.add(part('of a lane that is gone', 2));
    kept.clear();
    kept.add(part('whole', 1));
    expect([...kept.all()]).toEqual([part('whole', 1)]);
    kept.clear();
  });
});

describe('the key of a link', () => {
  it.each(['8:1', '@612f62'])('names device and inode: %s', (device) => {
    const key = { device, inode: 123456789012345n };
    expect(parseLinkKey(linkKey(key))).toEqual(key);
  });

  it('is nothing else', () => {
    expect(parseLinkKey('single ABC')).toBeUndefined();
  });
});
