import { createManifest } from '../../src/audit/create-manifest.js';
import { fsck } from '../../src/audit/fsck.js';
import { expectManifest } from '../../src/audit/manifest.js';
import { expectSource } from '../../src/audit/source-expectation.js';
import type { AuditKinds, CompareConstants } from '../../src/audit/tasks/kinds.js';
import { verify } from '../../src/audit/verify.js';
import type { Asker } from '../../src/engine/asker.js';
import { ClfsError } from '../../src/error.js';
import { formatManifestEntry } from '../../src/manifest/manifest-entry.js';
import type { ObjectIndex } from '../../src/namespace/object-index.js';
import type { ContainerReader } from '../../src/namespace/reader.js';
import { openPosixSource } from '../../src/source/posix-source.js';
import { escapePath } from '../../src/text/escape-path.js';
import type { AuditWorld } from './world.js';

/** What reads a container whole. */
export const AUDITS = ['fsck', 'verify', 'verify a manifest', 'manifest'] as const;
export type Audit = (typeof AUDITS)[number];

/** How it compares. */
export const COMPARE: CompareConstants = { content: true, sample: 1, timeToleranceNs: 0n };

/** What it found, as lines without an order, and how it ended. */
export interface Told {
  readonly lines: readonly string[];
  readonly end: string;
}

/** What an audit has to read by. */
export interface AuditPlace {
  readonly reader: ContainerReader;
  readonly index: ObjectIndex;
  readonly world: AuditWorld;
  /** Lanes; by default the calling thread alone. */
  readonly crew?: Asker<AuditKinds>;
}

/** Does an audit. @throws what is not said of a container */
export async function tellOf(audit: Audit, place: AuditPlace): Promise<Told> {
  const lines: string[] = [];
  let end: string;
  try {
    end = JSON.stringify(await DO[audit](place, (line) => lines.push(line)));
  } catch (error) {
    // That there is no root, or that it is damaged, is said of the container.
    if (!(error instanceof ClfsError) || (error.code !== 'format' && error.code !== 'not-found')) throw error;
    end = `${error.code}: ${error.message}`;
  }
  return { lines: lines.sort(), end };
}

type Tell = (line: string) => void;

const DO: Readonly<Record<Audit, (place: AuditPlace, tell: Tell) => Promise<unknown>>> = {
  fsck: ({ reader, index, crew }, tell) =>
    fsck(reader, index, { content: true, crew }, ({ severity, code, path, object, message }) =>
      tell(`${severity} ${code} ${path && escapePath(path)} ${object}: ${message}`),
    ),
  async verify({ reader, world, crew }, tell) {
    return compare(expectSource(openPosixSource(Buffer.from(world.source))), { reader, crew }, tell);
  },
  async 'verify a manifest'({ reader, world, crew }, tell) {
    return compare(await expectManifest(world.manifest), { reader, crew }, tell);
  },
  async manifest({ reader, crew }, tell) {
    for await (const { entry, path, error } of createManifest(reader, { hash: true, crew }))
      tell(entry ? formatManifestEntry(entry) : `${escapePath(path)}: ${error.message}`);
  },
};

async function compare(
  expectation: Awaited<ReturnType<typeof expectManifest>>,
  { reader, crew }: Pick<AuditPlace, 'reader' | 'crew'>,
  tell: Tell,
): Promise<unknown> {
  try {
    return await verify(expectation, reader, { ...COMPARE, crew }, ({ mark, path, details }) =>
      tell(`${mark} ${escapePath(path)} ${details.join(', ')}`),
    );
  } finally {
    expectation.close();
  }
}
