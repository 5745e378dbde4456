import { readFileSync } from 'node:fs';

/** A file system that is mounted. */
export interface Mount {
  /** Absolute path, without symlinks. */
  readonly point: Buffer;
  /** What tells it from another one in its place: what of the file system is mounted, its type, and its source. */
  readonly what: string;
  /** Device or server that it comes from, or a word without meaning. */
  readonly source: string;
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
    mounts.set(point, { point: unescapeField(point), what: `${root} ${type} ${source}`, source });
  }
  return [...mounts.values()];
}

function unescapeField(field: string): Buffer {
  const bytes = field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));
  return Buffer.from(bytes, 'latin1');
}
