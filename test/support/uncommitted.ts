import { linkSync, mkdirSync, mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Finding } from '../../src/audit/findings.js';
import { type FsckSummary, fsck } from '../../src/audit/fsck.js';
import type { PutOptions } from '../../src/container/container.js';
import { MemoryContainer } from '../../src/container/memory-container.js';
import { ClfsError } from '../../src/error.js';
import { ENVELOPE_BYTES } from '../../src/format/envelope.js';
import { idHex } from '../../src/format/ids.js';
import { decodeInode, type Inode } from '../../src/format/inode.js';
import { decodeObjectName } from '../../src/format/names.js';
import { decodeSegment } from '../../src/format/segment.js';
import { load } from '../../src/load/load.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader } from '../../src/namespace/reader.js';
import { escapePath } from '../../src/text/escape-path.js';
import { SMALL } from './check.js';
import { copyOf } from './small-container.js';
import { someBytes } from './tree.js';

const lz4 = openLz4();

/** Where the trees and states of these tests are. To be removed by them. */
export const base = mkdtempSync(join(tmpdir(), 'clfs-rootless-'));
export const source = join(base, 'source');

/** Makes the tree that is loaded: with every structure, and a name that a terminal would obey. */
export function makeSource(): void {
  for (const directory of ['a/b/deep', 'wide', 'c', 'c/\u001b[2Jodd'])
    mkdirSync(join(source, directory), { recursive: true });
  for (let i = 0; i < 80; i++) writeFileSync(join(source, 'wide', `entry ${i} ${'y'.repeat(i % 40)}`), `${i}`);
  for (const name of ['large', 'other'])
    writeFileSync(join(source, 'a', name), someBytes(600 + 2500 * 11, name.length));
  for (const name of ['x', 'y']) writeFileSync(join(source, 'a/b/deep', name), name);
  writeFileSync(join(source, 'a/linked'), 'linked');
  for (const name of ['c/linked', 'linked at the top']) linkSync(join(source, 'a/linked'), join(source, name));
  writeFileSync(join(source, 'c/twins'), 'twins');
  linkSync(join(source, 'c/twins'), join(source, 'a/b/twins'));
  symlinkSync('../wide', join(source, 'c', 'symlink'));
  writeFileSync(join(source, 'a file at the top'), someBytes(9000, 3));
}

/** Refuses one put, and with it ends the load. */
class Refusing extends MemoryContainer {
  refused = 0;
  readonly #refuses: (name: string, puts: number) => boolean;
  #puts = 0;

  constructor(refuses: (name: string, puts: number) => boolean) {
    super();
    this.#refuses = refuses;
  }

  override async put(name: string, body: Uint8Array, options?: PutOptions): Promise<void> {
    if (this.#refuses(name, ++this.#puts)) {
      this.refused++;
      throw new ClfsError('service', 'The service refuses this.');
    }
    await super.put(name, body, options);
  }
}

/** Whether a name is that of the root directory. */
export const isRootName = (name: string) => name.startsWith('00000064') && name.endsWith('.0002');

let withoutRoot: Promise<MemoryContainer> | undefined;

/** A container of a load that stopped at the put of the root, with links. */
export async function uncommitted(): Promise<MemoryContainer> {
  withoutRoot ??= stoppedAt(isRootName);
  return copyOf(await withoutRoot);
}

/** A container of a load that stopped at the put that `refuses` chooses. */
export async function stoppedAt(
  refuses: (name: string, puts: number) => boolean,
  preserveHardLinks = true,
): Promise<MemoryContainer> {
  const container = new Refusing(refuses);
  const statePath = mkdtempSync(join(base, 'state-'));
  const summary = await load({
    source,
    destination: '/unused',
    statePath,
    compression: 'DISABLED',
    preserveHardLinks,
    internals: { container, geometry: SMALL },
  });
  expect(summary.status).toBe('Failed');
  expect(container.refused).toBeGreaterThan(0);
  return container;
}

/** What fsck finds, codes with paths first, sorted. */
export async function check(
  container: MemoryContainer,
  content = true,
): Promise<{ findings: string[]; raw: Finding[]; summary: FsckSummary }> {
  const index = await indexContainer(container);
  const raw: Finding[] = [];
  const summary = await fsck(new ContainerReader(container, index, lz4, SMALL), index, { content }, (finding) =>
    raw.push(finding),
  );
  const findings = raw.map(({ code, path }) => (path === undefined ? code : `${code} ${escapePath(path)}`)).sort();
  expect(summary.errors).toBe(raw.filter(({ severity }) => severity === 'error').length);
  return { findings, raw, summary };
}

/** An object's body: these are not compressed. */
export const bodyOf = (container: MemoryContainer, name: string) =>
  (container.blobs.get(name) as Buffer).subarray(ENVELOPE_BYTES);
/** Puts an object, not compressed. */
export const put = (container: MemoryContainer, name: string, body: Buffer) =>
  void container.blobs.set(name, Buffer.concat([Buffer.alloc(ENVELOPE_BYTES), body]));
/** What an object's name says. */
export const keyOf = (name: string) => decodeObjectName(name) as NonNullable<ReturnType<typeof decodeObjectName>>;

/** The blob and the inode whose NAME record is `name`. */
export function inodeOf(container: MemoryContainer, name: string): { blob: string; inode: Inode; id: Buffer } {
  for (const blob of container.blobs.keys()) {
    const key = decodeObjectName(blob);
    if (!key || key.nameVersion === 1 || key.type > 7) continue;
    const inode = decodeInode(bodyOf(container, blob));
    if (Buffer.from(inode.name).toString() === name) return { blob, inode, id: key.id };
  }
  throw new Error(`There is no inode of ${name}.`);
}

/** Blobs of an owner and type, in the order in which they were put. */
export function blocksOf(container: MemoryContainer, owner: string, type: 8 | 9): string[] {
  const id = idHex(inodeOf(container, owner).id);
  return [...container.blobs.keys()].filter((name) => {
    if (decodeObjectName(name)?.type !== type) return false;
    return idHex(decodeSegment(bodyOf(container, name)).owner.handle) === id;
  });
}
