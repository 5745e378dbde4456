import type { ContainerPlace } from '../container/open-container.js';
import { ClfsError } from '../error.js';
import type { JobHere, JobKind } from '../join/job-kind.js';
import { STUCK_MS, StuckLanes } from '../join/stuck-lanes.js';
import { openLz4 } from '../lz4/lz4.js';
import { type ContainerEvidence, requireEvidence } from '../namespace/identify-container.js';
import { createDirectFinder } from '../namespace/object-finder.js';
import { ContainerReader } from '../namespace/reader.js';
import { KeptMounts } from '../source/kept-mounts.js';
import { systemClock } from '../time/clock.js';
import { WaitBoard } from '../waits/wait-board.js';
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
  /** After how long a call of the target that is not answered is spoken of. */
  readonly stallWarningMs: number;
  /** What must be found in the container. */
  readonly container: ContainerEvidence;
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
  async open(setup, options, lanes) {
    const target = await openTarget(Buffer.from(options.target ?? setup.target), false);
    try {
      await requireSameTarget(setup, target);
      // Each lane has a description of its own: so each hears of what the system could not write.
      const roots = await Promise.all(Array.from({ length: lanes }, () => target.openAgain()));
      return here(setup, target, roots);
    } catch (error) {
      target.close();
      throw error;
    }
  },
  async requireContainer({ constants, container: evidence }, container) {
    const reader = new ContainerReader(container, createDirectFinder(container), openLz4(), constants.geometry);
    await requireEvidence(reader, evidence);
  },
};

/** @param roots a description of the target for each lane */
function here(
  { constants, retryWindowMs, stallWarningMs, isListed }: RemoteExportSetup,
  target: OpenTarget,
  roots: readonly number[],
): JobHere<ThreadExportSetup> {
  const { mounted, isRemote } = target;
  const boards = roots.map(() => new WaitBoard());
  const stuck = new StuckLanes(boards, systemClock);
  const mounts = new KeptMounts({
    what: 'target',
    wanted: mounted,
    now: () => target.mountedNow(),
    reach(path) {
      void target.look(path).catch(() => undefined);
      return undefined;
    },
    mayCome: () => false,
  });
  return {
    laneOf: ({ port, ...lane }) => ({
      ...lane,
      cap: lane.traffic,
      constants,
      retryWindowMs,
      objects: isListed ? { kind: 'asked', port } : undefined,
      mounted,
      isRemote,
      mayBlock: true,
      root: roots[lane.remote.lane],
      waits: boards[lane.remote.lane].memory,
    }),
    stalled: () => stuck.waitsFor(stallWarningMs),
    stuck: () => stuck.waitsFor(STUCK_MS),
    lacking: () => mounts.lacking(),
    close: () => target.close(),
  };
}

/** @throws ClfsError `target` */
async function requireSameTarget(
  { constants, inode, bornNs, mounts, probe }: RemoteExportSetup,
  target: OpenTarget,
): Promise<void> {
  const { status } = target;
  if (status.inode !== inode)
    throw new ClfsError('target', `its target is another directory: it has inode ${status.inode}, not ${inode}.`);
  if (bornNs !== 0n && status.bornNs !== 0n && status.bornNs !== bornNs)
    throw new ClfsError('target', 'its target is another directory: it was made at another time.');
  // One file is written where nothing is mounted.
  if (constants.isTree) await requireSameMounts(target, mounts);
  await target.use((descriptor) => requireProbe(descriptor, probe));
}
