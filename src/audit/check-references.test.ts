import { blobNamed, editNamed } from '../../test/support/audited.js';
import { describeFindings, named } from '../../test/support/check-cases.js';

describeFindings('names and back pointers of an inode', {
  'no back pointer': [
    named('file', () => ({ backPointers: [] })),
    'error back-pointers a/file: The inode has no back pointer.',
    'error link-count a/file: The link count is 1, with 0 back pointers.',
  ],
  'a back pointer to another directory': [
    (c) => editNamed(c, 'file', () => ({ backPointers: [blobNamed(c, 'b').key.id] })),
    'error link-count a/file: The inode has back pointers to 1 links; 1 directory entries refer to it, from other directories.',
    'error owner a/file: The name has another owner than the first back pointer.',
    'warning source-manager a/file: The handle has another source manager than the directory of its first back pointer.',
  ],
  'a back pointer more': [
    (c) =>
      editNamed(c, 'file', (inode) => ({ backPointers: [...(inode.backPointers ?? []), blobNamed(c, 'b').key.id] })),
    'error link-count a/file: The inode has back pointers to 2 links; 1 directory entries refer to it.',
    'error link-count a/file: The link count is 1, with 2 back pointers.',
  ],
  'one of two back pointers to another directory': [
    (c) => editNamed(c, 'linked', ({ backPointers = [] }) => ({ backPointers: [backPointers[0], backPointers[0]] })),
    'error link-count linked: The inode has back pointers to 2 links; 2 directory entries refer to it, from other directories.',
  ],
  'another NAME': [
    named('file', () => ({ name: Buffer.from('other') })),
    'warning name-record a/file: The NAME record is not the name of its directory entry.',
  ],
  'another NAME of a linked file': [
    named('linked', () => ({ name: Buffer.from('other') })),
    'warning name-record linked: The NAME record is that of none of its directory entries.',
  ],
  'another NAME of a directory': [
    named('a', () => ({ name: Buffer.from('other') })),
    'error name-record a: The NAME record is not the name of its directory entry.',
  ],
});
