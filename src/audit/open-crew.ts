import { randomUUID } from 'node:crypto';
import type { Authorization } from '../container/azure/authorization.js';
import type { ContainerPlace } from '../container/open-container.js';
import type { ReadCap } from '../container/read-cap.js';
import { Traffic } from '../container/traffic.js';
import { type Crew, openCrew } from '../engine/asker.js';
import { createInlineRunner } from '../engine/inline-runner.js';
import { joinRunners } from '../engine/joined-runner.js';
import type { Runner } from '../engine/runner.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import type { Identity } from '../identity/identity.js';
import type { WorkersWish } from '../join/open-pool.js';
import { ListedCounter } from '../namespace/count-listed.js';
import type { ObjectIndex } from '../namespace/object-index.js';
import type { Pace } from '../namespace/pace.js';
import type { ContainerReader } from '../namespace/reader.js';
import { shareObjects } from '../namespace/shared-objects.js';
import { threadCount } from '../posix/descriptors.js';
import { keepFreedMemory } from '../posix/malloc.js';
import { systemClock } from '../time/clock.js';
import type { StallReport } from '../waits/stall-report.js';
import { WaitBoard } from '../waits/wait-board.js';
import { unlessStopped } from '../waits/waits.js';
import { AUDIT_ENTRY } from './audit-entry.js';
import { openAuditPool } from './audit-pool.js';
import type { AuditKinds, CompareConstants } from './tasks/kinds.js';
import { type AuditLaneSetup, openAuditLane, type SourceSetup, type ThreadAuditSetup } from './tasks/open-lane.js';

/** What lanes are to do. */
export interface CrewOptions {
  /** Threads beside the calling one; default: one a processor, at most 16. With `workers`, 0 leaves all work to them. */
  readonly threads?: number;
  /** How a container is compared, where it is. */
  readonly compare?: CompareConstants;
  /** What it is compared with, where lanes are to open it by themselves. */
  readonly source?: SourceSetup;
  /** Further lanes on other machines. */
  readonly workers?: WorkersWish;
  /** Told what becomes of workers, in sentences. */
  readonly onWorkers?: (text: string) => void;
}

/** So many blobs a worker must find in its container. */
const SOME_BLOBS = 8;

/** Where lanes read. */
export interface CrewPlace {
  readonly place: ContainerPlace;
  readonly identity: Identity;
  /** What all lanes here read is held to it; undefined: no cap. */
  readonly cap?: ReadCap;
  readonly index: ObjectIndex;
  /** Reads by the index. */
  readonly reader: ContainerReader;
  readonly retryWindowMs: number;
  readonly signal: AbortSignal | undefined;
  readonly pace: Pace;
  /** Told what lanes wait for; undefined: nobody looks. */
  readonly stalls?: StallReport;
  /** Takes that of each lane. */
  readonly traffic: Traffic[];
}

/** Lanes that read a container. */
export interface AuditCrew extends Crew<AuditKinds> {
  /** Inodes that its listing has: about as many as there are entries. */
  readonly inodes: number;
  /** Workers on other machines that are there; undefined without any. */
  readonly workers: number | undefined;
}

/** Opens lanes that read a container which has been listed. To be closed. @throws as the first lane does */
export async function openAuditCrew(where: CrewPlace, options: CrewOptions): Promise<AuditCrew> {
  keepFreedMemory();
  const { place, identity, cap, index, reader, retryWindowMs, signal, pace, stalls } = where;
  const { workers } = options;
  const threads = threadCount(options.threads);
  const onlyRemote = workers !== undefined && threads === 0;
  const listed = new ListedCounter();
  const some: string[] = [];
  const objects = await shareObjects(index, (page) => {
    for (const blob of page.slice(0, SOME_BLOBS - some.length)) some.push(blob.name);
    listed.add(page);
    return pace.pause();
  });
  const setup: AuditLaneSetup = {
    place,
    constants: { geometry: reader.geometry, compare: options.compare },
    retryWindowMs,
    objects,
    cap: cap?.memory,
    source: options.source,
    lanes: threads + 1,
    mayBlock: false,
  };
  const waits = () => stalls?.add(new WaitBoard()).memory;
  const newTraffic = () => {
    const own = new Traffic(1);
    where.traffic.push(own);
    return own;
  };
  const traffic = () => newTraffic().memory;
  const { authorization } = identity;
  const neverBlocks = options.source?.root?.isRemote === true && place.kind !== 'local';
  let runner: Runner<AuditKinds> = createInlineRunner(
    // Its container may not answer any more.
    await unlessStopped(
      signal ?? new AbortController().signal,
      () => openAuditLane({ ...setup, waits: waits(), traffic: traffic() }, authorization),
      (late) => late.abandon(),
    ),
    neverBlocks,
  );
  if (threads > 0) {
    const inThreads = createThreadRunner<AuditKinds, ThreadAuditSetup, Authorization>({
      lanes: threads,
      entry: AUDIT_ENTRY,
      setupOf: () => ({ ...setup, waits: waits(), traffic: traffic(), mayBlock: true, authorization }),
      log: () => undefined,
    });
    identity.onRenewed((renewed) => inThreads.update(renewed));
    runner = joinRunners(runner, inThreads);
  }
  const pool =
    workers &&
    (await openAuditPool({
      wish: workers,
      job: randomUUID().slice(0, 8),
      setup,
      reader,
      blobs: some,
      ownLanes: onlyRemote ? 0 : runner.lanes,
      capMbps: cap?.mbps,
      traffic: newTraffic(),
      ownShare: (megabitsPerSecond) => cap?.change(megabitsPerSecond),
      clock: systemClock,
      signal,
      report: options.onWorkers ?? (() => undefined),
    }));
  const crew = openCrew({
    runner: pool ? joinRunners(runner, pool.pool) : runner,
    clock: systemClock,
    allLanes: options.threads !== undefined,
    onlyRemote,
    signal,
  });
  return {
    get lanes() {
      return crew.lanes;
    },
    get workers() {
      return pool?.pool.workers.present.length;
    },
    mayRepeat: crew.mayRepeat,
    inodes: listed.inodes,
    ask: (kind, task, units, more) => crew.ask(kind, task, units, more),
    close: () => crew.close().finally(() => pool?.close()),
  };
}
