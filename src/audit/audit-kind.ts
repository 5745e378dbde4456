import type { ContainerPlace } from '../container/open-container.js';
import type { JobKind } from '../join/job-kind.js';
import { STUCK_MS, StuckLanes } from '../join/stuck-lanes.js';
import { openLz4 } from '../lz4/lz4.js';
import { type ContainerEvidence, requireEvidence } from '../namespace/identify-container.js';
import { createDirectFinder } from '../namespace/object-finder.js';
import { ContainerReader } from '../namespace/reader.js';
import { keptMountsOf } from '../source/kept-mounts.js';
import { openSource } from '../source/posix-source.js';
import { requireSameTree, type TreeEvidence } from '../source/same-tree.js';
import { systemClock } from '../time/clock.js';
import { DEFAULT_STALL_MS } from '../waits/stall-report.js';
import { WaitBoard } from '../waits/wait-board.js';
import { AUDIT_ENTRY } from './audit-entry.js';
import type { AuditConstants } from './tasks/kinds.js';
import type { SourceSetup, ThreadAuditSetup } from './tasks/open-lane.js';

/** What a worker elsewhere is told of what reads a container whole, before its first task. */
export interface RemoteAuditSetup {
  readonly kind: 'audit';
  readonly place: ContainerPlace;
  readonly constants: AuditConstants;
  readonly retryWindowMs: number;
  /** What must be found in the container. */
  readonly container: ContainerEvidence;
  /** What it is compared with, and what that must be; undefined where tasks say what is expected, or nothing is compared. */
  readonly source: (SourceSetup & { readonly evidence: TreeEvidence }) | undefined;
}

/** `verify`, `fsck` and `manifest`, as workers serve them: they must see the source, if one is compared with. */
export const AUDIT_JOB: JobKind<RemoteAuditSetup, ThreadAuditSetup> = {
  kind: 'audit',
  entry: AUDIT_ENTRY,
  async open({ source, constants, retryWindowMs }, options, lanes) {
    const path = options.source ?? source?.path;
    const tree = source && path && (await openSource(path));
    if (source && tree) requireSameTree(source.evidence, tree, source.selection);
    const boards = Array.from({ length: lanes }, () => new WaitBoard());
    const stuck = new StuckLanes(boards, systemClock);
    const mounts = source && tree && keptMountsOf(source.evidence.mounts, tree, source.selection);
    return {
      laneOf: ({ port, remote, ...lane }) => ({
        ...lane,
        cap: lane.traffic,
        constants,
        retryWindowMs,
        objects: { kind: 'asked', port },
        source: source && path && { path, selection: source.selection, root: tree?.root },
        mayBlock: true,
        waits: boards[remote.lane].memory,
        remote: { ...remote, rootDevice: source?.evidence.device },
      }),
      stalled: () => stuck.waitsFor(DEFAULT_STALL_MS),
      stuck: () => stuck.waitsFor(STUCK_MS),
      lacking: () => mounts?.lacking(),
      close: () => tree?.close(),
    };
  },
  async requireContainer({ constants, container: evidence }, container) {
    const reader = new ContainerReader(container, createDirectFinder(container), openLz4(), constants.geometry);
    await requireEvidence(reader, evidence);
  },
};
