import type { Container } from '../container/container.js';
import type { ContainerPlace } from '../container/open-container.js';
import type { Traffic } from '../container/traffic.js';
import { errorOf } from '../engine/breakage.js';
import { openPool, type WorkersWish } from '../join/open-pool.js';
import { answerFind } from '../namespace/asked-finder.js';
import { marksOf } from '../namespace/identify-container.js';
import { openSharedObjects, type SharedObjects } from '../namespace/shared-objects.js';
import type { OpenDriverLink } from '../remote/link.js';
import type { RemotePool } from '../remote/remote-pool.js';
import type { Clock } from '../time/clock.js';
import { DEFAULT_STALL_MS } from '../waits/stall-report.js';
import type { RemoteExportSetup } from './export-kind.js';
import type { OpenTarget } from './open-target.js';
import type { ExportRecord } from './state/export-record.js';
import { mountsOf } from './target/target-mounts.js';
import { makeProbe, removeProbe, type TargetProbe } from './target/target-probe.js';
import type { ExportConstants, ExportKinds } from './tasks/kinds.js';
import { exportBreakage } from './tasks/problem.js';

/** What lanes elsewhere are opened with. */
interface ExportPoolParts {
  readonly wish: WorkersWish;
  readonly place: ContainerPlace;
  readonly container: Container;
  readonly record: ExportRecord;
  readonly constants: ExportConstants;
  readonly retryWindowMs: number;
  readonly stallWarningMs: number | undefined;
  readonly lateArrivalMs: number;
  readonly objects: SharedObjects | undefined;
  readonly target: OpenTarget;
  readonly ownLanes: number;
  /** Most that all lanes read, in megabits per second; undefined: no cap. */
  readonly capMbps?: number;
  /** Told what of it is left to the lanes here. */
  ownShare?(megabitsPerSecond: number): void;
  readonly clock: Clock;
  /** Takes what workers have sent. */
  readonly traffic: Traffic;
  /** Ends the waiting for the server. */
  readonly signal?: AbortSignal;
  report(text: string): void;
}

/** Opens lanes elsewhere that write to a target; they find it by a probe. @throws ClfsError `usage`, `workers`, `target` */
export async function openExportPool(
  parts: ExportPoolParts,
  openLink?: OpenDriverLink,
): Promise<RemotePool<ExportKinds>> {
  const { place, container, record, constants, retryWindowMs, stallWarningMs, objects, target, ...rest } = parts;
  const { bucketUuid, rootName, containerId, jobId, targetHex } = record;
  const setup: RemoteExportSetup = {
    kind: 'export',
    place,
    constants,
    retryWindowMs,
    stallWarningMs: stallWarningMs ?? DEFAULT_STALL_MS,
    container: { bucketUuid, rootName, containerId, blobs: [], marks: await marksOf(container, record) },
    isListed: objects !== undefined,
    target: Buffer.from(targetHex, 'hex'),
    inode: target.status.inode,
    bornNs: target.status.bornNs,
    mounts: await mountsOf(target),
    probe: await newProbe(target, constants),
  };
  const finder = objects && openSharedObjects(objects);
  return openPool<ExportKinds>(
    {
      ...rest,
      job: jobId.slice(0, 8),
      files: 'write',
      setup,
      answer: async (what) => finder && answerFind(finder, what),
    },
    openLink,
  );
}

/** Removes the probe of the target: whoever comes later does not take part. @throws ClfsError `target` */
export async function endProbe(target: OpenTarget, constants: ExportConstants): Promise<void> {
  try {
    await target.use((descriptor) => removeProbe(descriptor, probeName(constants)));
  } catch (error) {
    throw errorOf(exportBreakage(error));
  }
}

/** @throws ClfsError `target` */
async function newProbe(target: OpenTarget, constants: ExportConstants): Promise<TargetProbe> {
  try {
    return await target.use((descriptor) => makeProbe(descriptor, probeName(constants)));
  } catch (error) {
    throw errorOf(exportBreakage(error));
  }
}

function probeName({ temporaryPrefix }: ExportConstants): Buffer {
  return Buffer.from(`${temporaryPrefix}probe`);
}
