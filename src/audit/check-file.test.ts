import { segmentsOf } from '../../test/support/audited.js';
import { attributes, blockMap, describeFindings, named, target } from '../../test/support/check-cases.js';
import { decodeObjectName } from '../format/names.js';

describeFindings('what a file, a symlink or a special file holds', {
  'an empty target': [
    target(Buffer.alloc(0)),
    'error symlink-target b/symlink: The symlink has no target that can be one.',
  ],
  'a target with a NUL': [
    target(Buffer.from('a\0')),
    'error symlink-target b/symlink: The symlink has no target that can be one.',
  ],
  'a target as long as the cache reads': [target(Buffer.alloc(1023, 'x'))],
  'a longer target': [
    target(Buffer.alloc(1024, 'x')),
    "warning symlink-target b/symlink: The symlink's target has 1024 bytes; the cache reads 1023.",
  ],
  'a target counted in characters': [
    target(Buffer.from('ä/𝄞'), 3),
    'warning symlink-length b/symlink: The length counts characters, not bytes, as the reference loader does.',
  ],
  'a target of another length': [
    target(Buffer.from('ä/𝄞'), 4),
    'error length b/symlink: The length is 4; the target has 7 bytes.',
  ],
  'a FIFO with a length': [
    attributes('fifo', { lengthBytes: 8n, usedBytes: 8n }),
    'error length b/fifo: The length of a special file is 8.',
  ],
  'a FIFO with a segment': [
    blockMap('fifo', ({ direct }, c) => ({
      direct: [...direct, decodeObjectName(segmentsOf(c, 'large')[0])?.id as Buffer],
    })),
    'error block-map b/fifo: Block 1 is there, where only regular files and directories have further blocks.',
    'error owner b/fifo: The name of the segment has another owner than the inode.',
    'error shared-block a/large: The segment is referred to more than once.',
  ],
  'fewer data than the length': [
    named('file', () => ({ data: Buffer.from('conten') })),
    'error length a/file: The inode holds 6 bytes of data where its length of 7 calls for 7.',
  ],
});
