/** File type bits of st_mode. */
export const S_IFMT = 0o170000;
const S_IFDIR = 0o040000;
const STATX_BTIME = 0x800;

/** What statx tells of a file. */
export interface FileStatus {
  /** st_mode, type bits included. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly linkCount: number;
  readonly inode: bigint;
  readonly sizeBytes: bigint;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly ctimeSeconds: number;
  readonly ctimeNanoseconds: number;
  readonly atimeSeconds: number;
  readonly atimeNanoseconds: number;
  readonly specialMajor: number;
  readonly specialMinor: number;
  /**
   * When a directory was made, in nanoseconds since 1970 modulo 2^64; 0 where the file system does not tell, and for
   * what is no directory.
   */
  readonly bornNs: bigint;
  /** Device of the file system that it is on, `major:minor`; may change at a remount. */
  readonly device: string;
}

/** Bytes that statx fills. */
export const STATUS_BYTES = 256;

/** @param b what statx has filled, of {@link STATUS_BYTES} */
export function decodeStatus(b: Buffer): FileStatus {
  const mode = b.readUInt16LE(28);
  return {
    mode,
    uid: b.readUInt32LE(20),
    gid: b.readUInt32LE(24),
    linkCount: b.readUInt32LE(16),
    inode: b.readBigUInt64LE(32),
    sizeBytes: b.readBigUInt64LE(40),
    atimeSeconds: signed64(b, 64),
    atimeNanoseconds: b.readUInt32LE(72),
    ctimeSeconds: signed64(b, 96),
    ctimeNanoseconds: b.readUInt32LE(104),
    mtimeSeconds: signed64(b, 112),
    mtimeNanoseconds: b.readUInt32LE(120),
    specialMajor: b.readUInt32LE(128),
    specialMinor: b.readUInt32LE(132),
    bornNs: (mode & S_IFMT) === S_IFDIR ? birthTime(b) : 0n,
    device: deviceText(b.readUInt32LE(136), b.readUInt32LE(140)),
  };
}

/** Whether inode, mode, owners, size, modification and change time are those of `before`. @param b as {@link decodeStatus} */
export function isSameStatus(b: Buffer, before: FileStatus): boolean {
  return (
    before.mtimeNanoseconds === b.readUInt32LE(120) &&
    before.ctimeNanoseconds === b.readUInt32LE(104) &&
    before.mtimeSeconds === signed64(b, 112) &&
    before.ctimeSeconds === signed64(b, 96) &&
    before.sizeBytes === b.readBigUInt64LE(40) &&
    before.inode === b.readBigUInt64LE(32) &&
    before.mode === b.readUInt16LE(28) &&
    before.uid === b.readUInt32LE(20) &&
    before.gid === b.readUInt32LE(24)
  );
}

function birthTime(b: Buffer): bigint {
  if ((b.readUInt32LE(0) & STATX_BTIME) === 0) return 0n;
  return BigInt.asUintN(64, b.readBigInt64LE(80) * 1_000_000_000n + BigInt(b.readUInt32LE(88)));
}

let latestDevice = { major: -1, minor: -1, text: '' };

/** A tree has few devices: the text of the latest one is kept. */
function deviceText(major: number, minor: number): string {
  if (major !== latestDevice.major || minor !== latestDevice.minor)
    latestDevice = { major, minor, text: `${major}:${minor}` };
  return latestDevice.text;
}

function signed64(b: Buffer, at: number): number {
  return b.readInt32LE(at + 4) * 0x1_0000_0000 + b.readUInt32LE(at);
}
