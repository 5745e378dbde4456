import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  CURRENT_DIRECTORY,
  close,
  makeDirectory,
  makeNode,
  makeSymlink,
  Open,
  openAt,
  setOwner,
  setTimes,
} from '../../src/posix/libc.js';

export const isRoot = process.getuid?.() === 0;

/** A deterministic stream of numbers below 2^32. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state;
  };
}

/** Bytes of which about half compress. */
export function someBytes(length: number, seed: number): Buffer {
  const next = randomNumbers(seed + 1);
  const bytes = Buffer.alloc(length);
  for (let at = 0; at < length; at += 64) {
    for (let i = at; i < Math.min(at + 32, length); i++) bytes[i] = next() & 0xff;
    bytes.fill(0x61 + (at % 7), Math.min(at + 32, length), Math.min(at + 64, length));
  }
  return bytes;
}

const path = (text: string) => Buffer.from(text);

/** A tree with every kind of entry, sizes around the boundaries of `geometry`, and `bulk` small files. */
export async function makeTree(
  root: string,
  options: { readonly bulk?: number; readonly sizes?: readonly number[] } = {},
): Promise<void> {
  mkdirSync(root, { recursive: true });
  const sizes = options.sizes ?? [
    0,
    1,
    16383,
    16384,
    16385,
    20000,
    16384 + 8388608 - 1,
    16384 + 8388608,
    16384 + 8388608 + 1,
    16384 + 2 * 8388608 + 5,
  ];
  mkdirSync(join(root, 'sizes'));
  for (const [index, size] of sizes.entries())
    writeFileSync(join(root, 'sizes', `size-${size}`), someBytes(size, index));
  writeFileSync(
    join(root, 'sizes', 'random'),
    Buffer.from(Array.from({ length: 30000 }, (_, i) => Math.imul(i * i + 7, 2654435761) >>> 11)),
  );
  const sparse = join(root, 'sizes', 'sparse');
  const fd = openSync(sparse, 'w');
  writeSync(fd, 'end', (sizes.at(-1) ?? 0) + 100_000);
  closeSync(fd);
  truncateSync(sparse, (sizes.at(-1) ?? 0) + 200_000);
  makeLinks(root);
  makeNames(root);
  makeTimes(root);
  await makeSpecials(root);
  for (let d = 0; d < 3; d++) {
    mkdirSync(join(root, `deep${d}`, 'a', 'b', 'c'), { recursive: true });
    writeFileSync(join(root, `deep${d}`, 'a', 'b', 'c', 'leaf'), `leaf ${d}`);
  }
  const bulk = options.bulk ?? 0;
  for (let d = 0; d * 500 < bulk; d++) {
    mkdirSync(join(root, `bulk${d}`));
    for (let f = 0; f < Math.min(500, bulk - d * 500); f++)
      writeFileSync(join(root, `bulk${d}`, `file-${f}`), `${d}/${f}`.repeat(f % 40));
  }
}

function makeLinks(root: string): void {
  mkdirSync(join(root, 'links', 'sub'), { recursive: true });
  writeFileSync(join(root, 'links', 'first'), 'linked content');
  linkSync(join(root, 'links', 'first'), join(root, 'links', 'second'));
  linkSync(join(root, 'links', 'first'), join(root, 'links', 'sub', 'third'));
  writeFileSync(join(root, 'links', 'long'), someBytes(50_000, 99));
  linkSync(join(root, 'links', 'long'), join(root, 'links', 'sub', 'long'));
  symlinkSync('first', join(root, 'links', 'symlink'));
  linkSync(join(root, 'links', 'symlink'), join(root, 'links', 'sub', 'symlink'));
  symlinkSync('nowhere/at all', join(root, 'links', 'dangling'));
  symlinkSync('zïel-ü', join(root, 'links', 'not-ascii'));
  symlinkSync('x'.repeat(2000), join(root, 'links', 'too-long-for-the-cache'));
}

function makeNames(root: string): void {
  mkdirSync(join(root, 'names'));
  const at = openAt(CURRENT_DIRECTORY, path(join(root, 'names')), Open.readOnly | Open.directory);
  for (const name of [
    Buffer.from([0xff, 0xfe, 0x41]),
    Buffer.from('new\nline'),
    Buffer.from('back\\slash'),
    Buffer.from('ünïcode'),
    Buffer.from('n'.repeat(255)),
    Buffer.from(' '),
  ]) {
    close(openAt(at, name, Open.create | Open.writeOnly, 0o644));
  }
  makeDirectory(at, Buffer.from([0xe9, 0x20]), 0o755);
  const inner = openAt(at, Buffer.from([0xe9, 0x20]), Open.readOnly | Open.directory);
  makeSymlink(Buffer.from([0x80, 0x81]), inner, Buffer.from([0xc3]));
  close(inner);
  close(at);
  // A path longer than PATH_MAX.
  let fd = openAt(CURRENT_DIRECTORY, path(root), Open.readOnly | Open.directory);
  for (let depth = 0; depth < 25; depth++) {
    const name = Buffer.from(`${String(depth).padStart(2, '0')}-${'p'.repeat(190)}`);
    makeDirectory(fd, name, 0o755);
    const next = openAt(fd, name, Open.readOnly | Open.directory);
    close(fd);
    fd = next;
  }
  close(openAt(fd, Buffer.from('bottom'), Open.create | Open.writeOnly, 0o600));
  close(fd);
}

function makeTimes(root: string): void {
  mkdirSync(join(root, 'times'));
  const times = [
    [1_600_000_000, 123_456_789],
    [1, 1],
    [2 ** 31, 999_999_999],
    [2 ** 32 - 1, 5],
    [-5, 7],
    [2 ** 33, 1],
  ];
  times.forEach(([seconds, nanoseconds], index) => {
    const file = join(root, 'times', `time-${index}`);
    writeFileSync(file, String(seconds));
    setTimes(CURRENT_DIRECTORY, path(file), { seconds, nanoseconds }, { seconds, nanoseconds });
  });
  [0o000, 0o4755, 0o2711, 0o1777, 0o6600].forEach((mode) => {
    const file = join(root, 'times', `mode-${mode.toString(8)}`);
    writeFileSync(file, 'm');
    if (isRoot || mode !== 0) chmodSync(file, mode);
  });
  mkdirSync(join(root, 'times', 'sticky'));
  chmodSync(join(root, 'times', 'sticky'), 0o3775);
  mkdirSync(join(root, 'times', 'empty'));
}

async function makeSpecials(root: string): Promise<void> {
  mkdirSync(join(root, 'special'));
  const file = (name: string) => path(join(root, 'special', name));
  makeNode(CURRENT_DIRECTORY, file('fifo'), 0o010640, 0, 0);
  linkSync(join(root, 'special', 'fifo'), join(root, 'special', 'fifo-link'));
  makeNode(CURRENT_DIRECTORY, file('socket-node'), 0o140600, 0, 0);
  if (isRoot) {
    makeNode(CURRENT_DIRECTORY, file('char'), 0o020666, 1, 3);
    makeNode(CURRENT_DIRECTORY, file('block'), 0o060660, 259, 70000);
    writeFileSync(join(root, 'special', 'owned'), 'o');
    setOwner(CURRENT_DIRECTORY, file('owned'), 4294967294, 4000000000);
  }
}

/** Number of entries of a tree, the root included. */
export function countEntries(root: string): number {
  return Number(execFileSync('sh', ['-c', 'find "$1" -printf x | wc -c', 'sh', root]).toString());
}

/** Removes a tree, also one whose paths are longer than Node can name. */
export function removeTree(root: string): void {
  execFileSync('sh', ['-c', 'chmod -R u+rwX "$1" 2>/dev/null; rm -rf "$1"', 'sh', root]);
}
