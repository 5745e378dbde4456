import { readFileSync } from 'node:fs';
import koffi from 'koffi';
import { cString } from './libc.js';

const statfs = koffi.load(null as unknown as string).func('int statfs64(const void *, void *)');

/** File systems whose id the kernel makes from their UUID: the same over reboots, and whatever device they are on. */
const TYPES_WITH_ID = new Set(['ext2', 'ext3', 'ext4', 'btrfs']);
/** Where `f_fsid` is, and how long; source: statfs(2). */
const ID_AT = 56;
const ID_END = 64;

const statfsBuffer = Buffer.from(new ArrayBuffer(256));

/** A file system that is mounted. */
export interface Mount {
  /** Absolute path, without symlinks. */
  readonly point: Buffer;
  /** What of the file system is mounted: a path in it. */
  readonly root: string;
  readonly type: string;
  /** Device or server that it comes from, or a word without meaning. */
  readonly source: string;
}

/**
 * What tells a file system from others, the same over reboots: its id, or the server that it comes from; undefined where
 * there is nothing of that kind.
 */
export function fileSystemKey({ point, type, source }: Mount): string | undefined {
  // Nothing is asked of a file system of another machine, which may not answer.
  if (TYPES_WITH_ID.has(type) && statfs(cString(point), statfsBuffer) === 0)
    return `${type} ${statfsBuffer.toString('hex', ID_AT, ID_END)}`;
  return source.includes(':') || source.startsWith('//') ? `${type} ${source}` : undefined;
}

/** The file systems that are mounted, the uppermost at each path; undefined where the kernel does not tell. */
export function readMounts(): readonly Mount[] | undefined {
  try {
    return parseMounts(readFileSync('/proc/self/mountinfo', 'latin1'));
  } catch {
    return undefined;
  }
}

/** Source: proc(5), `/proc/pid/mountinfo`: fields up to ` - `, then type and source; spaces and such are `\ooo`. */
export function parseMounts(text: string): readonly Mount[] {
  const mounts = new Map<string, Mount>();
  for (const line of text.split('\n')) {
    const [before, after] = line.split(' - ');
    if (after === undefined) continue;
    const [, , , root, point] = before.split(' ');
    const [type, source] = after.split(' ');
    mounts.set(point, { point: unescapeField(point), root, type, source });
  }
  return [...mounts.values()];
}

function unescapeField(field: string): Buffer {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return Buffer.from(bytes, 'latin1');
}
