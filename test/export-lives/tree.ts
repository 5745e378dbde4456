import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { close, makeNode, Open, openAt } from '../../src/posix/libc.js';
import { PosixError } from '../../src/posix/posix-error.js';
import type { Random } from '../lives/random.js';
import { isRoot } from '../support/tree.js';

/**
 * Sizes around those at which a file of the small geometry gets a further segment, and at which it is written in parts.
 */
const SIZES = [0, 1, 599, 600, 601, 3000, 5599, 5600, 5601, 9000, 14_000, 40_000];
const NAMES = ['a', 'bb', 'c c', 'd\xff', 'e\\n', 'f', '-g', '.h', 'ii', 'j', 'k', 'l'];
const S_IFIFO = 0o010000;

/** Path as bytes: names of a life are one character a byte. */
export function bytesOf(path: string): Buffer {
  return Buffer.from(path, 'latin1');
}

/** Makes a random tree. */
export function makeRandomTree(root: string, random: Random): void {
  mkdirSync(root);
  const directories = [''];
  const files: string[] = [];
  const used = new Set<string>();
  const newPath = () => {
    for (;;) {
      const path = `${random.pick(directories)}/${random.pick(NAMES)}${random.below(9)}`;
      if (!used.has(path)) return used.add(path) && path;
    }
  };
  const at = (path: string) => bytesOf(`${root}${path}`);
  for (let count = 6 + random.below(40); count > 0; count--) {
    const path = newPath();
    const kind = random.below(20);
    if (kind < 4) {
      mkdirSync(at(path));
      directories.push(path);
    } else if (kind < 6) symlinkSync(random.pick(['nowhere', '../..', '/etc']), at(path));
    else if (kind < 7) makeFifo(at(path));
    else if (kind < 10 && files.length > 0) linkSync(at(random.pick(files)), at(path));
    else {
      writeFileSync(at(path), contentOf(random));
      files.push(path);
    }
    if (kind < 4 || kind > 9) chmodSync(at(path), random.pick([0o644, 0o600, 0o755, 0o500, 0o000, 0o4755, 0o1777]));
    if (isRoot) lchownSync(at(path), random.below(3), random.below(3));
  }
  if (random.chance(40)) {
    // More entries than one piece of a directory holds.
    const wide = newPath();
    mkdirSync(at(wide));
    for (let count = 30 + random.below(30); count > 0; count--) {
      const path = `${wide}/${'w'.repeat(random.below(20))}${count}`;
      writeFileSync(at(path), '');
      used.add(path);
    }
  }
  const twins = makeTwins(root, random);
  for (const path of twins) used.add(path);
  // Times last: making an entry changes those of its directory.
  for (const path of [...used, ''].sort((a, b) => b.length - a.length)) {
    const seconds = twins.includes(path) ? 1_000_000 : 1_000_000 + random.below(1_000_000_000);
    lutimesSync(at(path), seconds, seconds + 0.25);
  }
  utimesSync(root, 5, 7.5);
  if (isRoot) chownSync(root, 1, 2);
}

/** Makes files, some with several names, that nothing but their names tells apart. @returns their paths */
function makeTwins(root: string, random: Random): readonly string[] {
  const paths = Array.from({ length: random.below(7) }, (_, number) => `/twin${number}`);
  const content = contentOf(random);
  for (const [number, path] of paths.entries()) {
    const at = bytesOf(`${root}${path}`);
    if (number > 0 && random.chance(50)) linkSync(bytesOf(`${root}${random.pick(paths.slice(0, number))}`), at);
    else writeFileSync(at, content, { mode: 0o640 });
  }
  return paths;
}

function contentOf(random: Random): Buffer {
  const size = random.pick(SIZES);
  if (random.chance(30)) return Buffer.alloc(size);
  const piece = random.bytes(Math.min(size, 97));
  return size === 0 ? Buffer.alloc(0) : Buffer.alloc(size, piece);
}

function makeFifo(path: Buffer): void {
  const slash = path.lastIndexOf(0x2f);
  const fd = openAt(-100, path.subarray(0, slash), Open.readOnly | Open.directory);
  try {
    makeNode(fd, path.subarray(slash + 1), S_IFIFO | 0o640, 0, 0);
  } catch (error) {
    if (!(error instanceof PosixError)) throw error;
    throw new Error(`no fifo: ${error.message}`, { cause: error });
  } finally {
    close(fd);
  }
}
