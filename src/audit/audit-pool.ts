import type { Traffic } from '../container/traffic.js';
import type { PartMessage, ResultMessage } from '../engine/kinds.js';
import { isClfsError } from '../error.js';
import { openPool, requireWorkers, type WorkersWish } from '../join/open-pool.js';
import { answerFind } from '../namespace/asked-finder.js';
import { containerEvidence } from '../namespace/identify-container.js';
import type { ContainerReader } from '../namespace/reader.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { RemotePool } from '../remote/remote-pool.js';
import { openPosixSource } from '../source/posix-source.js';
import { evidenceOf } from '../source/same-tree.js';
import { pathOfDevice } from '../source/shared-devices.js';
import type { SourceTree } from '../source/source-tree.js';
import type { Clock } from '../time/clock.js';
import type { RemoteAuditSetup } from './audit-kind.js';
import { type LinkKey, linkKey, parseLinkKey } from './link-key.js';
import type { AuditKinds, EntryOutcome } from './tasks/kinds.js';
import type { AuditLaneSetup } from './tasks/open-lane.js';

/** What lanes elsewhere are opened with. */
interface AuditPoolParts {
  readonly wish: WorkersWish;
  readonly job: string;
  readonly setup: AuditLaneSetup;
  /** Reads by the listing in which lanes elsewhere find what they read. */
  readonly reader: ContainerReader;
  /** Names of some blobs of that listing: a worker must find them in its container. */
  readonly blobs: readonly string[];
  readonly ownLanes: number;
  /** Most that all lanes read, in megabits per second; undefined: no cap. */
  readonly capMbps?: number;
  /** Takes what workers have read; undefined: nobody looks. */
  readonly traffic?: Traffic;
  /** Told what of it is left to the lanes here. */
  ownShare?(megabitsPerSecond: number): void;
  readonly clock: Clock;
  /** Ends the waiting for the server. */
  readonly signal?: AbortSignal;
  report(text: string): void;
}

/** Lanes elsewhere that read a container, and what is open for them. */
interface AuditPool {
  readonly pool: RemotePool<AuditKinds>;
  /** When the pool has been closed. */
  close(): void;
}

/**
 * Opens lanes elsewhere that read a container.
 *
 * @param openLink in place of NATS
 * @throws ClfsError `usage`, `workers`, `source`
 */
export async function openAuditPool(
  { setup, reader, blobs, ...parts }: AuditPoolParts,
  openLink?: OpenDriverLink,
): Promise<AuditPool> {
  const { place, constants, retryWindowMs, source } = setup;
  requireWorkers(parts.wish);
  const tree = source && openPosixSource(source.path, source.root);
  try {
    const all: RemoteAuditSetup = {
      kind: 'audit',
      place,
      constants,
      retryWindowMs,
      container: await containerEvidence(reader, blobs),
      source: source &&
        tree && { path: source.path, selection: source.selection, evidence: evidenceOf(tree, source.selection) },
    };
    const pool = await openPool<AuditKinds>(
      {
        ...parts,
        setup: all,
        files: source ? 'read' : 'blobs',
        // They change nothing: what a worker that was lost still does is of no account.
        lateArrivalMs: 0,
        mend: (told) => tree && nameDevices(tree, told),
        answer: (what) => answerFind(reader.finder, what),
      },
      openLink,
    );
    return { pool, close: () => tree?.close() };
  } catch (error) {
    tree?.close();
    throw error;
  }
}

type Told = PartMessage<AuditKinds> | ResultMessage<AuditKinds>;

/** Gives devices that a worker has called by a path the numbers that they have here: links are told by them. */
function nameDevices(source: SourceTree, told: Told): void {
  if (told.kind !== 'entries' || !('result' in told)) return;
  for (const { link } of told.result.outcomes) {
    const key = link?.key === undefined ? undefined : parseLinkKey(link.key);
    const path = key && pathOfDevice(key.device);
    if (link && key && path) (link as Writable).key = linkKey(keyHere(source, path, key));
  }
}

type Writable = { -readonly [P in keyof NonNullable<EntryOutcome['link']>]: NonNullable<EntryOutcome['link']>[P] };

/** @param path of the file: that is what a worker calls a device by which it does not know */
function keyHere(source: SourceTree, path: Buffer, key: LinkKey): LinkKey {
  const slash = path.lastIndexOf(0x2f);
  try {
    const directory = source.openDirectory(path.subarray(0, Math.max(0, slash)));
    try {
      return { ...key, device: directory.attributesOf(path.subarray(slash + 1)).device };
    } finally {
      directory.close();
    }
  } catch (error) {
    // It is gone: whoever looks for it next says so.
    if (isClfsError(error, 'entry')) return key;
    throw error;
  }
}
