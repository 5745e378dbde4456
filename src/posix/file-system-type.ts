import { koffi } from './koffi.js';
import { callInPool } from './pool-calls.js';

const fstatfs = koffi.load(null as unknown as string).func('int fstatfs64(int, void *)');
const STATFS_BYTES = 256;
const buffer = Buffer.from(new ArrayBuffer(STATFS_BYTES));

/** Numbers of file systems that another machine or another process has. Source: statfs(2), linux/magic.h */
const REMOTE = new Set([
  0x6969, // NFS
  0x0bd00bd0, // Lustre
  0x65735546, // FUSE
  0xff534d42, // CIFS
  0xfe534d42, // SMB 2
  0x517b, // SMB
  0x00c36400, // Ceph
  0x01021997, // 9P
  0x47504653, // GPFS
  0x5346414f, // AFS
  0x6b414653, // AFS of the kernel
  0x19830326, // BeeGFS
  0x01161970, // GFS2
  0x7461636f, // OCFS2
  0x786f4256, // shared folders of VirtualBox
  0xaad7aaea, // PanFS
]);

/** Type of the file system of an open file, as statfs numbers it; 0 when it does not tell. */
export function fileSystemType(fd: number): number {
  return fstatfs(fd, buffer) === 0 ? buffer.readUInt32LE(0) : 0;
}

/** Whether an open file is on a file system that may not answer for long, since it is not the kernel's alone. */
export function isRemoteFileSystem(fd: number): boolean {
  return REMOTE.has(fileSystemType(fd));
}

/** {@link isRemoteFileSystem} by a call in the pool: some ask their server for that, too. */
export async function isRemoteFileSystemLater(fd: number): Promise<boolean> {
  const told = Buffer.alloc(STATFS_BYTES);
  return (await callInPool(fstatfs, [fd, told], undefined)) === 0 && REMOTE.has(told.readUInt32LE(0));
}
