import type { Authorization } from '../../container/azure/authorization.js';
import type { Container } from '../../container/container.js';
import { holdLease, type RemoteLane } from '../../container/lease.js';
import { Traffic } from '../../container/traffic.js';
import { createLane, type Lane } from '../../engine/lane.js';
import { atMost } from '../../engine/report.js';
import { ClfsError } from '../../error.js';
import { openLz4 } from '../../lz4/lz4.js';
import { type LaneReading, openLaneReader } from '../../namespace/lane-reader.js';
import { descriptorPlaces } from '../../posix/descriptors.js';
import { openPosixSource } from '../../source/posix-source.js';
import { type Selection, selectFrom } from '../../source/selection.js';
import { withDevicesOf } from '../../source/shared-devices.js';
import { SourcePace } from '../../source/source-pace.js';
import { SourcePatience } from '../../source/source-patience.js';
import type { OpenRoot } from '../../source/source-tree.js';
import { systemClock } from '../../time/clock.js';
import { WaitBoard } from '../../waits/wait-board.js';
import { expectSource } from '../source-expectation.js';
import { createAuditContext } from './context.js';
import { AUDIT_EXECUTORS } from './executors.js';
import type { AuditConstants, AuditKinds } from './kinds.js';

/** How long a lane that is closed waits for what is under way: a call of the source may never end. */
const LAST_CALLS_MS = 500;
/** Files of the source that one lane has open at once, at most. */
const MOST_OPEN_FILES = 48;

/** A source that a container is compared with; plain data. */
export interface SourceSetup {
  readonly path: Uint8Array;
  readonly selection: Selection;
  /** Its root, which stays open; undefined: it is opened by its path. */
  readonly root?: OpenRoot;
}

/** What a lane needs to know before its first task; plain data that can be handed to a thread. */
export interface AuditLaneSetup extends LaneReading {
  readonly constants: AuditConstants;
  /** Undefined where nothing is compared, or tasks say what is expected. */
  readonly source: SourceSetup | undefined;
  /** Lanes of the process, which share its descriptors. */
  readonly lanes: number;
  /** Whether the thread may be held up by a source that does not answer. */
  readonly mayBlock: boolean;
  /** Memory of the `Traffic` that all lanes share, and the place of this one in it; undefined: nobody looks. */
  readonly traffic?: SharedArrayBuffer;
  readonly slot?: number;
  /** Memory of the `WaitBoard` of this lane; undefined: nobody looks. */
  readonly waits?: SharedArrayBuffer;
  /** Set where the lane works for another machine. */
  readonly remote?: RemoteAuditLane;
}

/** What a lane needs that works for another machine. */
interface RemoteAuditLane extends RemoteLane {
  /** Number of the device of the source's root on that machine, if there is a source. */
  readonly rootDevice: string | undefined;
}

/** What a lane in a thread is told beside. */
export interface ThreadAuditSetup extends AuditLaneSetup {
  readonly authorization: Authorization;
}

/**
 * Opens the container and the source for a lane of its own.
 *
 * @param authorization read at each request
 * @param container one that is open, in place of what the setup says; it stays so
 * @throws ClfsError as the container says; `source`
 */
export async function openAuditLane(
  setup: AuditLaneSetup,
  authorization: Authorization,
  container?: Container,
): Promise<Lane<AuditKinds>> {
  const { constants, source, lanes } = setup;
  const stop = new AbortController();
  const { remote } = setup;
  // Nothing is changed: a lane whose lease has ended does no harm.
  if (remote) holdLease(remote);
  const posix = source && openPosixSource(source.path, source.root);
  const named = posix && remote?.rootDevice !== undefined ? withDevicesOf(posix, remote.rootDevice) : posix;
  const tree = source && named && selectFrom(named, source.selection);
  const board = new WaitBoard(setup.waits);
  const now = () => systemClock.monotonic();
  const { mayBlock } = setup;
  const pace = tree && new SourcePace({ source: tree, mayBlock, waits: board.slot('source'), now });
  const patience = tree && pace && new SourcePatience({ source: tree, pace, signal: stop.signal });
  const places = descriptorPlaces(MOST_OPEN_FILES, { sharers: 4 * lanes });
  const expectation = tree && expectSource(tree, places, pace, patience);
  const traffic = setup.traffic && new Traffic(setup.traffic, setup.slot ?? 0);
  const waits = board.slot('container');
  const reading = {
    geometry: constants.geometry,
    lz4: openLz4(),
    signal: stop.signal,
    traffic,
    waits,
    mayBlock,
    container,
  };
  const { reader, close } = await openLaneReader(setup, authorization, reading).catch((error) => {
    expectation?.close();
    throw error;
  });
  // What reads a container whole keeps nothing: what is under way is of no use once it is stopped.
  const end = () => {
    stop.abort(new ClfsError('cancelled', 'The check was stopped.'));
    pace?.stop();
  };
  return createLane(AUDIT_EXECUTORS, createAuditContext(constants, reader, expectation, lanes), {
    stop: end,
    abandon: end,
    async close(idle) {
      end();
      await atMost(systemClock, LAST_CALLS_MS, idle);
      expectation?.close();
      await close();
    },
  });
}
