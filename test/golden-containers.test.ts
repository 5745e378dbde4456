import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { lstatSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectManifest } from '../src/audit/manifest.js';
import { type VerifyLine, verify } from '../src/audit/verify.js';
import type { Container } from '../src/container/container.js';
import { openLocalContainer } from '../src/container/local-container.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { indexContainer } from '../src/namespace/object-index.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { findingsOf } from './support/check.js';
import { GOLDEN, unpackGolden } from './support/golden.js';
import { complaints, runProgram } from './support/program.js';
import { isRoot } from './support/tree.js';

/** Findings that the format document names as deviations of the reference loader. */
const KNOWN_DEVIATIONS = [
  'symlink-length',
  'symlink-target',
  'name-record',
  'source-manager',
  'directory-length',
  'empty-indirect-block',
];

/** What a line of a manifest says that an exported entry must have. */
interface Wanted {
  readonly path: string;
  readonly path_hex: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly nlink: number;
  readonly rdev_major: number;
  readonly rdev_minor: number;
  readonly sha256?: string;
  readonly target_hex?: string;
}

describe.each(GOLDEN)('the reference container %s', (name) => {
  const golden = unpackGolden(name);
  let container: Container;
  beforeAll(async () => {
    container = await openLocalContainer(golden.blobs);
  });
  afterAll(() => golden.remove());

  it('has only warnings, of the known deviations', async () => {
    const findings = await findingsOf(container);
    expect(findings.filter(({ severity, code }) => severity === 'error' || !KNOWN_DEVIATIONS.includes(code))).toEqual(
      [],
    );
  });

  it('holds what its manifest says, but for the rounding of times', async () => {
    const manifest = join(golden.blobs, '..', 'manifest.jsonl');
    writeFileSync(manifest, golden.manifestText);
    const lines: VerifyLine[] = [];
    const reader = new ContainerReader(container, await indexContainer(container), openLz4());
    const options = { content: true, sample: 1, timeToleranceNs: 0n };
    const expectation = await expectManifest(manifest);
    const exact = await verify(expectation, reader, options, () => undefined);
    expect(exact.onlyRounding).toBe(true);
    const tolerant = await verify(
      expectation,
      reader,
      { ...options, timeToleranceNs: 1000n },
      (line) => void (line.mark === '=' || lines.push(line)),
    );
    expectation.close();
    expect(lines).toEqual([]);
    expect(tolerant.same).toBe(golden.manifest.length);
  });

  it('lists, by ls and find, what its manifest says', async () => {
    const listed = await runProgram('clfsload', ['find', golden.blobs, '--json']);
    const paths = listed.stdout
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { path_hex: string }).path_hex);
    expect(paths.sort()).toEqual(golden.manifest.map(({ path_hex }) => path_hex).sort());
    expect((await runProgram('clfsload', ['ls', '-lRa', golden.blobs])).code).toBe(0);
  });

  it.runIf(isRoot)('exports to a tree equal to its manifest', async () => {
    const target = join(golden.blobs, '..', 'exported');
    const run = await runProgram('clfsload', ['export', golden.blobs, target]);
    expect(complaints(run)).toEqual([]);
    expect(run.code).toBe(0);
    const inodes = new Map<string, Set<bigint>>();
    let count = 0;
    for (const entry of golden.manifest as unknown as Wanted[]) {
      const path = Buffer.concat([Buffer.from(`${target}/`), Buffer.from(entry.path_hex, 'hex')]);
      const found = lstatSync(path, { bigint: true });
      const what = entry.path;
      expect(Number(found.mode), what).toBe(entry.mode);
      expect([Number(found.uid), Number(found.gid)], what).toEqual([entry.uid, entry.gid]);
      if (found.isFile()) {
        expect(Number(found.size), what).toBe(entry.size);
        expect(createHash('sha256').update(readFileSync(path)).digest('hex'), what).toBe(entry.sha256);
      }
      if (found.isSymbolicLink()) expect(readlinkSync(path, 'buffer').toString('hex'), what).toBe(entry.target_hex);
      if (found.isBlockDevice() || found.isCharacterDevice())
        expect(
          [(found.rdev >> 8n) & 0xfffn, (found.rdev & 0xffn) | ((found.rdev >> 12n) & 0xfff00n)].map(Number),
          what,
        ).toEqual([entry.rdev_major, entry.rdev_minor]);
      // The reference loader rounds times to what a double holds.
      const offNs = found.mtimeNs - BigInt(/"mtime_ns": ?"?(\d+)/.exec(golden.lineOf(entry.path_hex))?.[1] ?? 0);
      expect(offNs < 1000n && offNs > -1000n, `${what}: ${offNs} ns`).toBe(true);
      if (!found.isDirectory() && entry.nlink > 1 && name === 'hardlinks') {
        const group = /"ino": ?(\d+)/.exec(golden.lineOf(entry.path_hex))?.[1] ?? '';
        inodes.set(group, (inodes.get(group) ?? new Set()).add(found.ino));
        // A link whose other name is outside the tree has one name here.
        const names = golden.manifest.filter(({ path_hex }) =>
          golden.lineOf(path_hex).includes(`"ino": ${group},`),
        ).length;
        expect(Number(found.nlink), what).toBe(names);
      }
      count++;
    }
    for (const group of inodes.values()) expect(group.size).toBe(1);
    expect(inodes.size > 0).toBe(name === 'hardlinks');
    const exported = execFileSync('find', [target, '-printf', 'x']).length;
    expect(exported).toBe(count);
  });
});
