import type { Clock } from '../container/clock.js';
import { ClfsError, isClfsError } from '../error.js';
import { decodeObject, type Lz4 } from '../format/envelope.js';
import { ObjectType, ROOT_ID } from '../format/ids.js';
import { decodeInode } from '../format/inode.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import type { Leftover } from '../state/leftovers.js';
import { DirectoryStatus } from '../state/schema.js';
import type { WorkContext } from '../worker/context.js';
import { execute } from '../worker/execute.js';
import { blockNames } from '../worker/indirect-blocks.js';
import type { DirectoryResult } from '../worker/tasks.js';
import { applyDirectoryWritten } from './apply-results.js';
import { putBucket, requireOwnBucket } from './bucket-object.js';
import { DirectoryFeeder } from './directory-feeder.js';
import type { JobContext } from './job-context.js';

const LEFTOVERS_A_TASK = 64;
const NAMES_A_TASK = 4096;
/** The root's inode is at most this long. */
const ROOT_LIMIT_BYTES = 1048576;

/** What the end of a job needs beside its state. */
export interface FinishTools {
  /** A context of the calling thread. */
  readonly work: WorkContext;
  readonly lz4: Lz4;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Until when puts of earlier sessions can still take effect, in milliseconds since 1970. */
  readonly uncertainUntilMs: number;
}

/**
 * Removes the blobs that nothing refers to any more, once no put of them can still arrive.
 *
 * @throws ClfsError `cancelled`; whatever the container throws
 */
export async function cleanUp(context: JobContext, tools: FinishTools): Promise<void> {
  const { state } = context;
  const { container } = tools.work;
  for (;;) {
    const page = state.leftovers.list(LEFTOVERS_A_TASK);
    if (page.length === 0) return;
    const waitMs = Math.max(tools.uncertainUntilMs - tools.clock.now(), container.uncertainUntilMs - tools.clock.monotonic());
    if (waitMs > 0) {
      context.log.write('INFO', `waiting ${Math.ceil(waitMs / 1000)} s until no put that was given up can still arrive`);
      await tools.clock.sleep(waitMs, tools.signal);
    }
    requireGoOn(tools.signal);
    let names: string[] = [];
    for (const { leftover } of page) {
      for (const name of namesOf(leftover, tools.work)) {
        names.push(name);
        if (names.length < NAMES_A_TASK) continue;
        await execute({ kind: 'delete', names }, tools.work, NO_SINK);
        requireGoOn(tools.signal);
        names = [];
      }
    }
    await execute({ kind: 'delete', names }, tools.work, NO_SINK);
    state.transact(() => state.leftovers.dropUpTo(page[page.length - 1].id));
  }
}

/**
 * Puts the logs, the bucket object with their names, and at last the root: the job is committed.
 *
 * Each step can be repeated.
 */
export async function commit(context: JobContext, tools: FinishTools): Promise<void> {
  const { state, log } = context;
  const { container } = tools.work;
  // A container that was deleted and made again meanwhile lacks what was put before.
  if (state.record.readsBack) await requireOwnBucket(container, tools.lz4, state.record.bucketUuid, state.record.container);
  const logs = log.parts();
  // The log of a job grows over its sessions: each writes the same blobs again.
  const logNames = logs.map((_, index) => `clfsload-${state.record.jobId.slice(0, 8)}-${index + 1}.log`);
  state.transact(() => state.update({ logNames, committing: true }));
  for (const [index, bytes] of logs.entries()) await container.put(logNames[index], bytes);
  await putBucket(container, state.record.bucketUuid, logNames);
  await container.flush();
  requireGoOn(tools.signal);
  await commitRoot(context, tools);
}

/**
 * Writes the root directory, under its real name: from then on the container can be mounted.
 *
 * @throws ClfsError `container-other` when another load's root is there
 */
async function commitRoot(context: JobContext, tools: FinishTools): Promise<void> {
  const { state } = context;
  const root = state.directories.get(ROOT_DIRECTORY);
  if (root.status === DirectoryStatus.written) {
    state.transact(() => state.update({ committed: true }));
    return;
  }
  if (root.status !== DirectoryStatus.ready) throw new Error(`The root directory has status ${root.status} at the end of the load.`);
  const feeder = new DirectoryFeeder(ROOT_DIRECTORY);
  let result: DirectoryResult | undefined;
  do {
    requireGoOn(tools.signal);
    const task = feeder.next(context, result?.fill);
    try {
      result = (await execute(task, tools.work, NO_SINK)) as DirectoryResult;
    } catch (error) {
      if (!isClfsError(error, 'exists')) throw error;
      await requireOwnRoot(context, tools);
      // A create whose first answer was lost has met itself: the same bytes once more.
      result = (await execute({ ...task, onlyNew: false }, tools.work, NO_SINK)) as DirectoryResult;
    }
  } while (!feeder.complete);
  const written = result;
  state.transact(() => {
    applyDirectoryWritten(context, ROOT_DIRECTORY, written);
    state.update({ committed: true });
  });
}

async function requireOwnRoot(context: JobContext, tools: FinishTools): Promise<void> {
  const name = encodeObjectName({ id: ROOT_ID, type: ObjectType.directory, owner: ROOT_ID, version: FIRST_VERSION });
  const blob = await tools.work.container.get(name, ROOT_LIMIT_BYTES);
  const root = decodeInode(decodeObject(blob, ROOT_LIMIT_BYTES, tools.lz4).body);
  if (root.extendedAttributes?.get('massUUID') !== context.state.record.massUuid) {
    throw new ClfsError('container-other', 'The container has the root directory of another load. Load into an empty container.');
  }
}

function* namesOf(leftover: Leftover, work: WorkContext): Generator<string> {
  if (leftover.name !== undefined) yield leftover.name;
  else
    yield* blockNames(
      { sequence: leftover.sequence, generation: leftover.generation, handle: leftover.owner, blockCount: leftover.blocks, ctimeSeconds: 0 },
      work,
    );
}

function requireGoOn(signal: AbortSignal): void {
  if (signal.aborted) throw new ClfsError('cancelled', 'The job was stopped. Go on with it by --new-session=false.');
}

const NO_SINK = { part: () => undefined };
