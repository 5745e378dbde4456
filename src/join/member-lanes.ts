import type { Authorization } from '../container/azure/blob-service.js';
import { Lease } from '../container/lease.js';
import { openContainer, parseContainer, placeText } from '../container/open-container.js';
import { Traffic } from '../container/traffic.js';
import { createThreadRunner } from '../engine/thread-runner.js';
import { ClfsError } from '../error.js';
import { openIdentity } from '../identity/identity.js';
import { sourcePath } from '../job/load-spec.js';
import { requireOwnBucket } from '../load/bucket-object.js';
import { openLz4 } from '../lz4/lz4.js';
import type { MemberParts } from '../remote/member.js';
import { openPosixSource } from '../source/posix-source.js';
import { differenceFrom } from '../source/same-tree.js';
import { SourceGauge } from '../source/source-gauge.js';
import { systemClock } from '../time/clock.js';
import { encoderOf } from '../worker/encoder.js';
import { THREAD_ENTRY, type ThreadLaneSetup } from '../worker/open-lane.js';
import type { RemoteLoadSetup } from '../worker/remote-setup.js';
import type { LoadKinds } from '../worker/tasks.js';
import { StuckSource } from './stuck-source.js';
import type { WorkerOptions } from './worker-options.js';

/** What a member needs of its machine. To be closed: nothing is sent after that. */
export interface MemberLanes
  extends Pick<MemberParts<LoadKinds>, 'lease' | 'runner' | 'counters' | 'setCap' | 'stuck'> {
  close(): Promise<void>;
}

/** A thread that is silent for so long hangs, in whatever. */
const STUCK_MS = 120_000;
/** Until a worker takes part, a service that does not answer is an error soon. */
const FIRST_RETRY_WINDOW_MS = 15_000;

/**
 * Makes sure that this machine sees what the job is about, and opens threads for it.
 *
 * @throws ClfsError with the reason why this worker cannot take part
 */
export async function openMemberLanes(setup: RemoteLoadSetup, options: WorkerOptions): Promise<MemberLanes> {
  const lz4 = openLz4();
  const { constants, settings } = setup;
  const encoder = encoderOf(constants.spec, lz4);
  if (encoder !== setup.encoder)
    throw new ClfsError(
      'workers',
      `it would build other bytes (${encoder}) than the driver (${setup.encoder}): run the same clfsload with the same LZ4 library everywhere.`,
    );
  const spec = options.source
    ? { ...constants.spec, sourceHex: Buffer.from(options.source).toString('hex') }
    : constants.spec;
  const source = openPosixSource(sourcePath(spec));
  const threads = options.threads;
  const traffic = new Traffic(threads + 1);
  const lease = new Lease(threads);
  let identity: Awaited<ReturnType<typeof openIdentity>> | undefined;
  try {
    const difference = differenceFrom(setup.source, source);
    if (difference !== undefined) throw new ClfsError('source', `${difference}.`);
    const given = options.container === undefined ? undefined : parseContainer(options.container);
    const { place } = setup;
    if (given && given.place.kind === 'azure' && placeText(given.place) !== placeText(place))
      throw new ClfsError(
        'container-other',
        `The job is for the container ${placeText(place)}, not for ${placeText(given.place)}.`,
      );
    const parsed = { place: given?.place ?? place, query: given?.query ?? '' };
    identity = await openIdentity(parsed, { ...options.identity, onTrouble: options.report });
    const { authorization } = identity;
    await requireContainer(setup, parsed.place, authorization, traffic);
    const opened = identity;
    const gauge = new SourceGauge(threads);
    const stuckSource = new StuckSource(gauge, systemClock);
    const runner = createThreadRunner<LoadKinds, ThreadLaneSetup, Authorization>({
      lanes: threads,
      entry: THREAD_ENTRY,
      setupOf: (lane) => ({
        place: parsed.place,
        constants: { ...constants, spec },
        settings,
        lanes: threads,
        root: source.descriptor,
        gauge: gauge.memory,
        gaugeSlot: lane,
        mayBlock: true,
        remote: { lease: lease.memory, lane, rootDevice: setup.source.device },
        authorization,
        traffic: traffic.memory,
        slot: lane + 1,
      }),
      log: options.report,
    });
    identity.onRenewed((renewed) => runner.update(renewed));
    return {
      lease,
      runner,
      counters: () => countersOf(traffic),
      stuck: () => stuckSource.look() ?? stuckText(lease),
      setCap: (megabitsPerSecond) => {
        traffic.capMbps[0] = megabitsPerSecond;
      },
      async close() {
        lease.end();
        await runner.close();
        opened.close();
        source.close();
      },
    };
  } catch (error) {
    identity?.close();
    source.close();
    throw error;
  }
}

/** @throws ClfsError when this worker may not read the container, or it is another one */
async function requireContainer(
  { bucketUuid }: RemoteLoadSetup,
  place: Parameters<typeof openContainer>[0],
  authorization: Authorization,
  traffic: Traffic,
): Promise<void> {
  const container = await openContainer(place, authorization, { retryWindowMs: FIRST_RETRY_WINDOW_MS, traffic });
  try {
    if (bucketUuid !== undefined) await requireOwnBucket(container, openLz4(), bucketUuid, placeText(place));
  } finally {
    await container.close();
  }
}

function stuckText(lease: Lease): string | undefined {
  const silentMs = lease.silentMs(systemClock.monotonic());
  if (silentMs < STUCK_MS) return undefined;
  return `a thread has not answered for ${Math.round(silentMs / 1000)} s (does the file system of the source, or of the container, answer?)`;
}

function countersOf(traffic: Traffic): ReturnType<MemberLanes['counters']> {
  const { requests, bytesSent, retries, throttled, waitingSince } = traffic.totals();
  return {
    requests,
    bytesSent,
    retries,
    throttled,
    waitingMs: waitingSince === 0 ? 0 : Math.max(1, systemClock.now() - waitingSince),
    uncertainMs: Math.max(0, traffic.uncertainUntilMs - systemClock.monotonic()),
  };
}
