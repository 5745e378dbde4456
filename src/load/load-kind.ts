import type { Container, ContainerProbe } from '../container/container.js';
import { type ContainerPlace, placeText } from '../container/open-container.js';
import { ClfsError, isClfsError } from '../error.js';
import { type RunSettings, sourcePath } from '../job/load-spec.js';
import type { JobKind } from '../join/job-kind.js';
import { openLz4 } from '../lz4/lz4.js';
import { keptMountsOf } from '../source/kept-mounts.js';
import { openSource } from '../source/posix-source.js';
import { requireSameTree, type TreeEvidence } from '../source/same-tree.js';
import { SourceGauge } from '../source/source-gauge.js';
import { systemClock } from '../time/clock.js';
import { DEFAULT_STALL_MS } from '../waits/stall-report.js';
import { WaitBoard } from '../waits/wait-board.js';
import { encoderOf } from '../worker/encoder.js';
import { THREAD_ENTRY, type ThreadLaneSetup } from '../worker/open-lane.js';
import type { JobConstants } from '../worker/tasks.js';
import { requireOwnBucket } from './bucket-object.js';
import { StuckSource } from './stuck-source.js';

/** What a worker elsewhere is told of a load before its first task. */
export interface RemoteLoadSetup {
  readonly kind: 'load';
  readonly place: ContainerPlace;
  readonly constants: JobConstants;
  readonly settings: Pick<RunSettings, 'retryWindowMs' | 'lateArrivalMs' | 'stallWarningMs'>;
  /** What the source must be. */
  readonly source: TreeEvidence;
  /** UUID of the container's bucket object; undefined where the service does not give it back. */
  readonly bucketUuid: string | undefined;
  /** What must be found in the container; undefined for one of a service. */
  readonly probe: ContainerProbe | undefined;
  /** Program and LZ4 library: the same ones build the same bytes. */
  readonly encoder: string;
}

/** A load, as workers serve it: they must see the same source, and build the same bytes. */
export const LOAD_JOB: JobKind<RemoteLoadSetup, ThreadLaneSetup> = {
  kind: 'load',
  entry: THREAD_ENTRY,
  async open(setup, options, lanes) {
    const { constants, settings } = setup;
    const encoder = encoderOf(constants.spec, openLz4());
    if (encoder !== setup.encoder)
      throw new ClfsError(
        'workers',
        `it would build other bytes (${encoder}) than the driver (${setup.encoder}): run the same clfsload with the same LZ4 library everywhere.`,
      );
    const spec = options.source
      ? { ...constants.spec, sourceHex: Buffer.from(options.source).toString('hex') }
      : constants.spec;
    const source = await openSource(sourcePath(spec));
    requireSameTree(setup.source, source, spec.selection);
    const gauge = new SourceGauge(lanes);
    const boards = Array.from({ length: lanes }, () => new WaitBoard());
    const stuck = new StuckSource(gauge, boards, systemClock);
    const mounts = keptMountsOf(setup.source.mounts, source, spec.selection);
    return {
      laneOf: ({ remote, ...lane }) => ({
        ...lane,
        constants: { ...constants, spec },
        settings,
        root: source.root,
        gauge: gauge.memory,
        gaugeSlot: remote.lane,
        waits: boards[remote.lane].memory,
        mayBlock: true,
        remote: { ...remote, rootDevice: setup.source.device },
      }),
      stalled: () => stuck.waitsFor(settings.stallWarningMs ?? DEFAULT_STALL_MS),
      stuck: () => stuck.look(),
      lacking: () => mounts.lacking(),
      close: () => source.close(),
    };
  },
  async requireContainer({ bucketUuid, place, probe }, container) {
    if (bucketUuid !== undefined) await requireOwnBucket(container, openLz4(), bucketUuid, placeText(place));
    if (probe !== undefined) await requireProbe(container, probe);
  },
};

/** A copy of a directory has all that the directory had when it was copied. @throws ClfsError `container-other` */
async function requireProbe(container: Container, { name, token }: ContainerProbe): Promise<void> {
  let found: string | undefined;
  try {
    found = (await container.get(name, token.length)).toString();
  } catch (error) {
    if (!isClfsError(error, 'not-found')) throw error;
  }
  if (found !== token)
    throw new ClfsError(
      'container-other',
      `its container is another directory than the driver's, such as a copy of it, or the load is about to end: the driver's probe is not there.`,
    );
}
