import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { expectManifest } from '../src/audit/manifest.js';
import { type VerifyLine, verify } from '../src/audit/verify.js';
import { openLocalContainer } from '../src/container/local-container.js';
import { openLz4 } from '../src/lz4/lz4.js';
import { indexContainer } from '../src/namespace/object-finder.js';
import { ContainerReader } from '../src/namespace/reader.js';
import { findingsOf } from './support/check.js';
import { GOLDEN, unpackGolden } from './support/golden.js';

/** Findings that the format document names as deviations of the reference loader. */
const KNOWN_DEVIATIONS = ['symlink-length', 'symlink-target', 'name-record', 'source-manager', 'directory-length', 'empty-indirect-block'];

describe.each(GOLDEN)('the reference container %s', (name) => {
  const golden = unpackGolden(name);
  const container = openLocalContainer(golden.blobs);
  afterAll(() => golden.remove());

  it('has only warnings, of the known deviations', async () => {
    const findings = await findingsOf(container);
    expect(findings.filter(({ severity, code }) => severity === 'error' || !KNOWN_DEVIATIONS.includes(code))).toEqual([]);
  });

  it('holds what its manifest says, but for the rounding of times', async () => {
    const manifest = join(golden.blobs, '..', 'manifest.jsonl');
    writeFileSync(manifest, golden.manifestText);
    const lines: VerifyLine[] = [];
    const reader = new ContainerReader(container, await indexContainer(container), openLz4());
    const options = { content: true, sample: 1, timeToleranceNs: 0n };
    const exact = await verify(await expectManifest(manifest), reader, options, () => undefined);
    expect(exact.onlyRounding).toBe(true);
    const tolerant = await verify(
      await expectManifest(manifest),
      reader,
      { ...options, timeToleranceNs: 1000n },
      (line) => void (line.mark === '=' || lines.push(line)),
    );
    expect(lines).toEqual([]);
    expect(tolerant.same).toBe(golden.manifest.length);
  });
});
