import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MOST_LINKS } from '../format/limits.js';
import { ComparedLinks } from './compared-links.js';

let links: ComparedLinks;
beforeEach(() => {
  links = new ComparedLinks();
});
afterEach(() => links.close());

/** A name of inode `id`, which is a link of what has the key in the source. */
const compare = (id: number, key: string | undefined, linkCount = 2) =>
  links.compare({ id: Buffer.alloc(16, id), linkCount, key });

const OTHER_FILE = 'linked with what is another file in the source';
const SINGLE = 'linked, with a file that has one link in the source';
const APART = 'not linked with another name of the same file';

describe('names of one file', () => {
  it('are the same when they are one inode, however many files there are', () => {
    for (const [id, key] of ['1:10', '1:11', '2:10'].entries())
      for (let name = 0; name < 3; name++) expect(compare(id, key)).toEqual([]);
  });

  it('differ when they are several inodes: each name but those of the first', () => {
    expect(compare(1, '1:10')).toEqual([]);
    expect(compare(2, '1:10')).toEqual([APART]);
    expect(compare(1, '1:10')).toEqual([]);
    expect(compare(3, '1:10')).toEqual([APART]);
  });

  it('may be spread over inodes that are full, and copies beside them', () => {
    for (const [id, linkCount] of [1, MOST_LINKS, MOST_LINKS, 1].entries())
      expect(compare(id, '1:10', linkCount)).toEqual([]);
    expect(compare(4, '1:10', MOST_LINKS - 1)).toEqual([APART]);
    expect(compare(5, '1:10', MOST_LINKS)).toEqual([APART]);
  });

  it('may all be copies, where links were not preserved', () => {
    for (const id of [1, 2, 3]) expect(compare(id, '1:10', 1)).toEqual([]);
  });

  it('differ when one is a copy and others are linked, in whatever order they come', () => {
    expect([compare(1, '1:10'), compare(1, '1:10'), compare(2, '1:10', 1)]).toEqual([[], [], [APART]]);
    expect([compare(3, '1:11'), compare(4, '1:11', 1), compare(3, '1:11')]).toEqual([[], [APART], []]);
    expect([compare(5, '1:12', 1), compare(6, '1:12'), compare(6, '1:12')]).toEqual([[], [APART], [APART]]);
  });
});

describe('an inode with links', () => {
  it('is one file: another one is a difference, and so is one whose file has one link', () => {
    expect(compare(1, '1:10')).toEqual([]);
    expect(compare(1, '1:11')).toEqual([OTHER_FILE]);
    expect(compare(2, undefined)).toEqual([SINGLE]);
    expect(compare(2, undefined)).toEqual([SINGLE]);
    expect(compare(2, '1:12')).toEqual([OTHER_FILE]);
    expect(compare(2, undefined)).toEqual([OTHER_FILE]);
  });
});
