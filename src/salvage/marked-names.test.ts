import { expect, it } from 'vitest';
import { freeName } from './marked-names.js';

const id = Buffer.from('an id');

/** Names that are given one after another to claims of one name. */
function given(name: Buffer, mark: string, count: number): string[] {
  const taken = new Set<string>();
  for (let i = 0; i < count; i++)
    taken.add(
      freeName(name, mark, Buffer.from(`${i}`), (wish) => taken.has(wish.toString('latin1'))).toString('latin1'),
    );
  return [...taken];
}

it('numbers what has one name, with a mark and without', () => {
  expect(given(Buffer.from('a'), '', 3)).toEqual(['a', 'a.~2~', 'a.~3~']);
  expect(given(Buffer.from('a'), 'incomplete', 2)).toEqual(['a.~incomplete~', 'a.~incomplete-2~']);
  expect(freeName(Buffer.from('a'), 'version-9', id, () => false).toString()).toBe('a.~version-9~');
});

it('cuts a long name, and keeps bytes that are no text', () => {
  const long = Buffer.alloc(255, 0xff);
  expect(freeName(long, '', id, () => false)).toEqual(long);
  const marked = freeName(long, 'incomplete', id, () => false);
  expect(marked).toHaveLength(255);
  expect(marked.subarray(-13).toString()).toBe('.~incomplete~');
  expect(marked.subarray(0, 242)).toEqual(long.subarray(0, 242));
  expect(new Set(given(long, 'incomplete', 30)).size).toBe(30);
});

it('does not try more and more names where many inodes claim one', () => {
  let tries = 0;
  const taken = new Set<string>();
  for (let i = 0; i < 3000; i++) {
    const name = freeName(Buffer.from('one'), '', Buffer.from(`${i}`), (wish) => {
      tries++;
      return taken.has(wish.toString());
    });
    taken.add(name.toString());
  }
  expect(taken.size).toBe(3000);
  expect(tries).toBeLessThan(3000 * 12);
});
