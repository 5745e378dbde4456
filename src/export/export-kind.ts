import type { ContainerPlace } from '../container/open-container.js';
import { ClfsError } from '../error.js';
import type { JobKind } from '../join/job-kind.js';
import { openLz4 } from '../lz4/lz4.js';
import { type ContainerIdentity, requireIdentity } from '../namespace/identify-container.js';
import { createDirectFinder } from '../namespace/object-finder.js';
import { ContainerReader } from '../namespace/reader.js';
import { EXPORT_ENTRY } from './export-entry.js';
import { type OpenTarget, openTarget } from './open-target.js';
import { requireSameMounts, type TargetMount } from './target/target-mounts.js';
import { requireProbe, type TargetProbe } from './target/target-probe.js';
import type { ExportConstants } from './tasks/kinds.js';
import type { ThreadExportSetup } from './tasks/open-lane.js';

/** What a worker elsewhere is told of an export before its first task. */
export interface RemoteExportSetup {
  readonly kind: 'export';
  readonly place: ContainerPlace;
  readonly constants: ExportConstants;
  readonly retryWindowMs: number;
  /** By what the container is known again. */
  readonly container: ContainerIdentity;
  /** Whether the driver has a listing of it, and finds objects for others. */
  readonly isListed: boolean;
  /** Absolute path of the directory that is written to. */
  readonly target: Uint8Array;
  /** Its inode number, and when it was made; 0 where that is not known. */
  readonly inode: bigint;
  readonly bornNs: bigint;
  /** What is mounted below it: what is written there is to be written there. */
  readonly mounts: readonly TargetMount[];
  readonly probe: TargetProbe;
}

/** An export, as workers serve it: they must see the same target, with the same rights. */
export const EXPORT_JOB: JobKind<RemoteExportSetup, ThreadExportSetup> = {
  kind: 'export',
  entry: EXPORT_ENTRY,
  open(setup, options) {
    const target = openTarget(Buffer.from(options.target ?? setup.target), false);
    try {
      requireSameTarget(setup, target);
    } catch (error) {
      target.close();
      throw error;
    }
    const { constants, retryWindowMs, isListed } = setup;
    return {
      laneOf: ({ port, ...lane }) => ({
        ...lane,
        constants,
        retryWindowMs,
        objects: isListed ? { kind: 'asked', port } : undefined,
        mounted: target.mounted,
        mayBlock: true,
        // Each lane has a description of its own: so each hears of what the system could not write.
        root: target.openAgain(),
      }),
      close: () => target.close(),
    };
  },
  async requireContainer({ constants, container: identity }, container) {
    const reader = new ContainerReader(container, createDirectFinder(container), openLz4(), constants.geometry);
    await requireIdentity(reader, identity);
  },
};

/** @throws ClfsError `target` */
function requireSameTarget({ inode, bornNs, mounts, probe }: RemoteExportSetup, target: OpenTarget): void {
  const { status } = target;
  if (status.inode !== inode)
    throw new ClfsError('target', `its target is another directory: it has inode ${status.inode}, not ${inode}.`);
  if (bornNs !== 0n && status.bornNs !== 0n && status.bornNs !== bornNs)
    throw new ClfsError('target', 'its target is another directory: it was made at another time.');
  requireSameMounts(target, mounts);
  requireProbe(target.descriptor, probe);
}
