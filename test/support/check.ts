import { expect } from 'vitest';
import type { Finding } from '../../src/audit/findings.js';
import { fsck } from '../../src/audit/fsck.js';
import { expectSource } from '../../src/audit/source-expectation.js';
import { type VerifyLine, verify } from '../../src/audit/verify.js';
import type { Container } from '../../src/container/container.js';
import { GEOMETRY, type Geometry } from '../../src/format/geometry.js';
import { openLz4 } from '../../src/lz4/lz4.js';
import { indexContainer } from '../../src/namespace/object-index.js';
import { ContainerReader } from '../../src/namespace/reader.js';
import { openPosixSource } from '../../src/source/posix-source.js';
import { escapePath } from '../../src/text/escape-path.js';

const lz4 = openLz4();

/** A geometry in which small files reach every level of the indirect trees. */
export const SMALL: Geometry = {
  firstSegmentBytes: 600,
  fileSegmentBytes: 2500,
  directorySegmentBytes: 400,
  directorySpareBytes: 24,
  directBlocks: 5,
  fanOut: 3,
};

/** Everything that is wrong with a container by itself. */
export async function findingsOf(container: Container, geometry: Geometry = GEOMETRY): Promise<Finding[]> {
  const index = await indexContainer(container);
  const findings: Finding[] = [];
  await fsck(new ContainerReader(container, index, lz4, geometry), index, { content: true }, (finding) =>
    findings.push(finding),
  );
  return findings;
}

/** Everything in which a container differs from a source tree. */
export async function differencesOf(
  source: string,
  container: Container,
  geometry: Geometry = GEOMETRY,
): Promise<VerifyLine[]> {
  const index = await indexContainer(container);
  const expectation = expectSource(openPosixSource(Buffer.from(source)));
  const lines: VerifyLine[] = [];
  try {
    await verify(
      expectation,
      new ContainerReader(container, index, lz4, geometry),
      { content: true, sample: 1, timeToleranceNs: 0n },
      (line) => void (line.mark === '=' || lines.push(line)),
    );
  } finally {
    expectation.close();
  }
  return lines;
}

/**
 * Requires a container to be sound, without any left-over blob, and equal to the source but for the paths in `without`.
 */
export async function expectFaithful(
  source: string,
  container: Container,
  geometry: Geometry = GEOMETRY,
  without: readonly string[] = [],
): Promise<void> {
  const findings = await findingsOf(container, geometry);
  expect(findings.filter(({ code }) => code !== 'symlink-target')).toEqual([]);
  const lines = await differencesOf(source, container, geometry);
  expect(
    lines.map(({ mark, path, details }) => `${mark} ${escapePath(path)} ${details.join(', ')}`.trim()).sort(),
  ).toEqual(without.map((path) => `+ ${path}`).sort());
}
