import { describe, expect, it } from 'vitest';
import { joinPath } from './join-path.js';

const joined = (directory: string, path: string) => joinPath(Buffer.from(directory), Buffer.from(path)).toString();

describe('joinPath', () => {
  it('puts a slash between components, and none beside the root', () => {
    expect(joined('a/b', 'c')).toBe('a/b/c');
    expect(joined('', 'a')).toBe('a');
    expect(joined('a/b', '')).toBe('a/b');
    expect(joined('', '')).toBe('');
  });

  it('keeps bytes that are no text, and copies them', () => {
    const name = Buffer.from([0xff, 0x80]);
    const path = joinPath(Buffer.alloc(0), name);
    name.fill(0);
    expect(path).toEqual(Buffer.from([0xff, 0x80]));
  });
});
