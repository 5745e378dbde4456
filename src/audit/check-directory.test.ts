import { blobNamed, editEntries, editNamed, segmentsOf } from '../../test/support/audited.js';
import {
  attributes,
  cut,
  describeFindings,
  entriesOf,
  isNotReached,
  owned,
  segment,
} from '../../test/support/check-cases.js';
import { sampleBlockId } from '../../test/support/samples.js';
import type { DirectorySegment } from '../format/segment.js';

describeFindings('a directory', {
  'a link count of a directory': [
    attributes('a', { linkCount: 3 }),
    'error link-count a: The link count is 3, with 0 sub-directories.',
  ],
  'a length of a directory': [
    attributes('a', { lengthBytes: 1n, usedBytes: 1n }),
    'warning directory-length a: The length is 1; the entries take 164. The reference loader does so after an interruption.',
  ],
  '"." of another directory': [
    (c) => editEntries(c, 'a', ([dot, ...rest]) => [{ ...dot, handle: blobNamed(c, 'b').key.id }, ...rest]),
    'error dot-entries a: The entry "." is not the directory itself.',
  ],
  '".." of another directory': [
    (c) => editEntries(c, 'wide', ([dot, up, ...rest]) => [dot, { ...up, handle: sampleBlockId(1) }, ...rest]),
    'error dot-entries wide: The entry ".." is not the parent directory.',
  ],
  '".." before "."': [
    (c) => editEntries(c, 'a', ([dot, up, ...rest]) => [up, dot, ...rest]),
    'error dot-entries a: The first two entries are not "." and "..".',
  ],
  'a name that cannot be one': [
    (c) =>
      editEntries(c, 'b', (entries) =>
        entries.map((each) => (each.name.length === 4 ? { ...each, name: Buffer.from('a/\u001b!') } : each)),
      ),
    'error bad-name b: The name "a/\\u001b!" cannot be one.',
  ],
  'a name twice': [
    (c) => editEntries(c, 'b', (entries) => [...entries, ...entries.filter(({ name }) => name.length === 4)]),
    'error duplicate-name b: The name "fifo" is there twice.',
    'error link-count b/fifo: The inode has back pointers to 1 links; 2 directory entries refer to it.',
    'warning directory-length b: The length is 166; the entries take 200. The reference loader does so after an interruption.',
  ],
  'a first piece that is too large': [
    (c) => editNamed(c, 'wide', ({ dirents }) => ({ dirents: Buffer.concat([dirents as Buffer, entriesOf(1)]) })),
    `error dangling-entry wide/${'x'.repeat(200)}: The inode ID is not in the container.`,
    'error piece-size wide: The inode holds 749 bytes of entries.',
    'warning directory-length wide: The length is 1845; the entries take 2067. The reference loader does so after an interruption.',
  ],
  'damaged entries in an inode': [
    (c) => editNamed(c, 'wide', ({ dirents }) => ({ dirents: cut(dirents as Buffer) })),
    isNotReached(30),
    'error damaged-object wide: Malformed DIRENTS record: it ends early.',
  ],
  'damaged entries in a segment': [
    segment<DirectorySegment>('wide', 8, 0, ({ dirents }) => ({ dirents: cut(dirents) })),
    isNotReached(22),
    'error damaged-object wide: Malformed DIRENTS record: it ends early.',
  ],
  'a segment of a directory of another kind': [
    segment<DirectorySegment>('wide', 8, 0, ({ owner }) => ({ kind: 'file', data: Buffer.alloc(1), owner })),
    isNotReached(22),
    'error segment-kind wide: Block 1 (ID) of a directory is a segment of a file.',
  ],
  'a segment of a directory that is not there': [
    (c) => void c.blobs.delete(segmentsOf(c, 'wide')[0]),
    isNotReached(22),
    'error missing-object wide: The segment ID is not in the container.',
  ],
  'a segment of a directory of another place': [
    owned('wide', 8, { offset: 601n }),
    'error segment-offset wide: Block 1 says that it begins at 601.',
  ],
  'a segment of a directory of another ctime': [
    owned('wide', 8, { ctimeSeconds: 1 }),
    'warning segment-ctime wide: Block 1 has another ctime than its inode.',
  ],
  'an empty segment of a directory': [
    segment('wide', 8, -1, () => ({ dirents: Buffer.alloc(0) })),
    isNotReached(4),
    'error piece-size wide: Block 4 is empty.',
    'warning directory-length wide: The length is 1845; the entries take 1609. The reference loader does so after an interruption.',
  ],
  'a segment of a directory that is too large': [
    segment<DirectorySegment>('wide', 8, -1, ({ dirents }) => ({ dirents: Buffer.concat([dirents, entriesOf(2)]) })),
    `error dangling-entry wide/${'x'.repeat(200)}: The inode ID is not in the container.`,
    `error dangling-entry wide/${'y'.repeat(200)}: The inode ID is not in the container.`,
    'error piece-size wide: Block 4 holds 680 bytes of entries.',
    'warning directory-length wide: The length is 1845; the entries take 2289. The reference loader does so after an interruption.',
  ],
});
