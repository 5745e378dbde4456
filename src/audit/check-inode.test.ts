import { attributes, describeFindings, handle, renamed } from '../../test/support/check-cases.js';

describeFindings('an inode by itself', {
  'another type in the name': [
    renamed('file', (blob) => blob.replace('.0001.', '.0007.')),
    'error type-mismatch a/file: The name says type 7, the inode type 1.',
  ],
  'version 8': [
    renamed('file', (blob) => blob.replace('.00000000009.', '.00000000008.')),
    'error version a/file: The version 8 is below 9.',
  ],
  'another owner in the name': [
    renamed('file', (blob) => blob.replace(/\.[0-9A-F]{16}\./, '.0123456789ABCDEF.')),
    'error owner a/file: The name has another owner than the first back pointer.',
  ],
  'another owner in the name of a directory': [
    renamed('a', (blob) => blob.replace(/\.[0-9A-F]{16}\./, '.0123456789ABCDEF.')),
    'error owner a: The name has another owner than the parent directory.',
  ],
  'another mode': [
    attributes('file', { mode: 0o040644 }),
    'error mode-type a/file: The mode 40644 is not that of type 1.',
  ],
  'another type in the handle': [
    handle((id) => void id.writeUInt8(6, 6)),
    'warning handle-type b/fifo: The handle hints at type 6; the inode has type 7.',
  ],
  'a handle of another form': [
    handle((id) => void id.writeUInt8(1, 7)),
    'warning handle-form b/fifo: The handle ID is not of the form that loaders give.',
  ],
  'a handle with other bits': [
    handle((id) => void id.writeUInt8(id[0] ^ 1, 0)),
    'warning handle-form b/fifo: The handle ID is not of the form that loaders give.',
  ],
  'a handle of the first number that loaders give': [handle((id) => void id.writeBigUInt64LE(1000n, 8))],
  'a handle of a reserved number': [
    handle((id) => void id.writeBigUInt64LE(999n, 8)),
    'warning handle-form b/fifo: The handle ID is one that loaders do not give.',
  ],
  'a handle without a random part': [
    handle((id) => void id.writeBigUInt64LE(0n, 16)),
    'warning handle-form b/fifo: The handle ID is one that loaders do not give.',
  ],
  'a handle of another manager': [
    handle((id) => void id.writeUInt8(id[4] ^ 1, 4)),
    'warning source-manager b/fifo: The handle has another source manager than the directory of its first back pointer.',
  ],
  'the nanoseconds of a whole second': [
    attributes('file', {
      mtime: { seconds: 1, nanoseconds: 1e9 },
      ctime: { seconds: 1, nanoseconds: 1e9 },
      atime: { seconds: 1, nanoseconds: 1e9 },
    }),
    'error time a/file: The atime has 1000000000 nanoseconds.',
    'error time a/file: The ctime has 1000000000 nanoseconds.',
    'error time a/file: The mtime has 1000000000 nanoseconds.',
  ],
  'the nanoseconds before it': [attributes('file', { mtime: { seconds: 1, nanoseconds: 1e9 - 1 } })],
  flags: [
    attributes('file', { flags: 1 }),
    'warning attributes a/file: Flags or a deletion time are set, which no loader does.',
  ],
  'a deletion time of seconds': [
    attributes('file', { dtime: { seconds: 1, nanoseconds: 0 } }),
    'warning attributes a/file: Flags or a deletion time are set, which no loader does.',
  ],
  'a deletion time of nanoseconds': [
    attributes('file', { dtime: { seconds: 0, nanoseconds: 1 } }),
    'warning attributes a/file: Flags or a deletion time are set, which no loader does.',
  ],
  'other used bytes': [
    attributes('file', { usedBytes: 0n }),
    'warning used-bytes a/file: The used bytes (0) are not the length (7).',
  ],
  'another container id': [
    attributes('file', { containerId: 1n }),
    "error load-ids a/file: The fsid or container id is not the root's.",
  ],
  'another fsid': [
    attributes('file', { fsid: 1n }),
    "error load-ids a/file: The fsid or container id is not the root's.",
  ],
  'a major number': [
    attributes('file', { deviceMajor: 1 }),
    'warning device a/file: A device number is set on what is no device.',
  ],
  'a minor number': [
    attributes('fifo', { deviceMinor: 1 }),
    'warning device b/fifo: A device number is set on what is no device.',
  ],
});
