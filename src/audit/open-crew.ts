import type { Authorization } from '../container/azure/blob-service.js';
import type { ContainerPlace } from '../container/open-container.js';
import { type Crew, openCrew } from '../engine/asker.js';
import { createInlineRunner } from '../engine/inline-runner.js';
import { joinRunners } from '../engine/joined-runner.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import type { Geometry } from '../format/geometry.js';
import { ObjectType } from '../format/ids.js';
import type { Identity } from '../identity/identity.js';
import type { ObjectIndex } from '../namespace/object-index.js';
import type { Pace } from '../namespace/pace.js';
import { shareObjects } from '../namespace/shared-objects.js';
import { threadCount } from '../posix/descriptors.js';
import { keepFreedMemory } from '../posix/malloc.js';
import { systemClock } from '../time/clock.js';
import type { AuditKinds, CompareConstants } from './tasks/kinds.js';
import { type AuditLaneSetup, openAuditLane, type SourceSetup, type ThreadAuditSetup } from './tasks/open-lane.js';

/** What lanes are to do. */
export interface CrewOptions {
  /** Threads beside the calling one; default: one a processor, at most 16. */
  readonly threads?: number;
  /** How a container is compared, where it is. */
  readonly compare?: CompareConstants;
  /** What it is compared with, where lanes are to open it by themselves. */
  readonly source?: SourceSetup;
}

/** Where lanes read. */
export interface CrewPlace {
  readonly place: ContainerPlace;
  readonly identity: Identity;
  readonly index: ObjectIndex;
  readonly geometry: Geometry;
  readonly retryWindowMs: number;
  readonly signal: AbortSignal | undefined;
  readonly pace: Pace;
}

/** Lanes that read a container. */
export interface AuditCrew extends Crew<AuditKinds> {
  /** Inodes that its listing has: about as many as there are entries. */
  readonly inodes: number;
}

/** Opens lanes that read a container which has been listed. To be closed. @throws as the first lane does */
export async function openAuditCrew(where: CrewPlace, options: CrewOptions): Promise<AuditCrew> {
  keepFreedMemory();
  const { place, identity, index, geometry, retryWindowMs, signal, pace } = where;
  const threads = threadCount(options.threads);
  let inodes = 0;
  const objects = await shareObjects(index, (page) => {
    for (const { key } of page) if (key.type >= ObjectType.regular && key.type <= ObjectType.fifo) inodes++;
    return pace.pause();
  });
  const setup: AuditLaneSetup = {
    place,
    constants: { geometry, compare: options.compare },
    retryWindowMs,
    objects,
    source: options.source,
    lanes: threads + 1,
    mayBlock: false,
  };
  const { authorization } = identity;
  const own = createInlineRunner(await openAuditLane(setup, authorization));
  const crew = { clock: systemClock, allLanes: options.threads !== undefined, signal };
  if (threads === 0) return { ...openCrew({ ...crew, runner: own }), inodes };
  const inThreads = createThreadRunner<AuditKinds, ThreadAuditSetup, Authorization>({
    lanes: threads,
    entry: new URL('./audit-thread-entry.js', import.meta.url),
    setupOf: () => ({ ...setup, mayBlock: true, authorization }),
    log: () => undefined,
  });
  identity.onRenewed((renewed) => inThreads.update(renewed));
  return { ...openCrew({ ...crew, runner: joinRunners(own, inThreads) }), inodes };
}
