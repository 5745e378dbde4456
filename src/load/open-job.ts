import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Container } from '../container/container.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { RESERVED_SEQUENCES, stampUuid, uuidText } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import { type LoadSpec, type LoadWish, newLoadSpec, type RunSettings, resumedLoadSpec } from '../job/load-spec.js';
import type { CommitHooks } from '../state/job-database.js';
import type { JobRecord } from '../state/job-record.js';
import { JobState } from '../state/job-state.js';
import { claimExistingState, claimNewState, type StateDirectory } from '../state/state-directory.js';
import { VERSION } from '../version.js';
import { SECRET_BYTES } from '../worker/job-ids.js';
import { putBucket, readBucketUuid, requireOwnBucket } from './bucket-object.js';
import type { LoadResources } from './resources.js';

const U32 = 0x1_0000_0000;

/** A job whose state this process holds. */
export interface OpenJob {
  readonly state: JobState;
  readonly directory: StateDirectory;
  /** What it is in the present session. */
  readonly spec: LoadSpec;
  readonly settings: RunSettings;
  readonly resources: LoadResources;
}

/** What is needed to begin a job, or to go on with it. */
export interface JobStart {
  readonly statePath: string;
  readonly wish: LoadWish;
  readonly settings: RunSettings;
  readonly lz4: Lz4;
  readonly hooks: CommitHooks;
  /** Refuses places that a load cannot use. @throws ClfsError `usage` */
  check(spec: LoadSpec, settings: RunSettings): Promise<void>;
  /** Opens what the job works with. */
  open(spec: LoadSpec, settings: RunSettings): Promise<LoadResources>;
  /** Draws random bytes. */
  random?(bytes: number): Buffer;
}

/**
 * Begins a new job: takes the state directory, and with the bucket object the container.
 *
 * A job that is refused leaves no state and nothing in the container behind, unless its bucket object may be there.
 *
 * @throws ClfsError `state`, `state-busy`; `container-not-empty`; whatever the container throws
 */
export async function beginJob({
  statePath,
  wish,
  settings,
  lz4,
  hooks,
  check,
  open,
  random = randomBytes,
}: JobStart): Promise<OpenJob> {
  const spec = newLoadSpec(wish);
  await check(spec, settings);
  const directory = claimNewState(statePath);
  let state: JobState | undefined;
  let resources: LoadResources | undefined;
  // A job that never began may have its bucket object there: it is taken over, and that object with it.
  const takenOver = existsSync(directory.databasePath);
  let isKept = takenOver;
  try {
    resources = await open(spec, settings);
    const record = newRecord(spec, settings, random);
    const before = takenOver ? openState(directory, hooks) : undefined;
    // Between the look at the directory and its lock another process may have begun the job that is in it.
    if (before?.record.begun)
      throw new ClfsError(
        'state',
        `The state directory ${JSON.stringify(directory.path)} holds a job already. Go on with it by --new-session=false.`,
      );
    if (before) before.transact(() => before.update({ ...record, bucketUuid: before.record.bucketUuid }));
    state = before ?? createState(directory, record, hooks);
    await claimContainer(state, resources.container, lz4, spec, () => {
      isKept = true;
    });
    return { state, directory, spec, settings, resources };
  } catch (error) {
    // Why it was refused is what is told.
    await resources?.close().catch(() => undefined);
    await resources?.discard();
    const isMine = state?.isMine;
    state?.close();
    if (isKept) directory.release();
    else directory.discard(isMine);
    throw error;
  }
}

/** @throws ClfsError `container-not-empty` when there is anything but the job's own bucket object */
async function requireUnused(container: Container, lz4: Lz4, bucketUuid: string, spec: LoadSpec): Promise<void> {
  for await (const page of container.list('')) {
    for (const { name } of page) if (name !== BUCKET_NAME) throw notEmpty(spec);
    if (page.length > 0 && (await readBucketUuid(container, lz4)) !== bucketUuid) throw notEmpty(spec);
  }
}

/**
 * Goes on with the job at the state path.
 *
 * @throws ClfsError `state`, `state-busy`; `usage` when it was started with other arguments; `container-other`,
 * `container-missing`
 */
export async function resumeJob({ statePath, wish, settings, lz4, hooks, check, open }: JobStart): Promise<OpenJob> {
  const directory = claimExistingState(statePath);
  let state: JobState | undefined;
  let resources: LoadResources | undefined;
  try {
    state = openState(directory, hooks);
    const spec = resumedLoadSpec(state.record.spec, wish, statePath);
    // Who names the source again says all of it again, as azcopy wants it; who names the state alone goes on as before.
    const merged = wish.source ? settings : { ...state.record.settings, ...settings };
    await check(spec, merged);
    resources = await open(spec, merged);
    const { container } = resources;
    const { begun, readsBack, bucketUuid } = state.record;
    if (!begun) await claimContainer(state, container, lz4, spec);
    else if (readsBack) await requireOwnBucket(container, lz4, bucketUuid, spec.container);
    return { state, directory, spec, settings: merged, resources };
  } catch (error) {
    state?.close();
    // Why it was refused is what is told.
    await resources?.close().catch(() => undefined);
    directory.release();
    throw error;
  }
}

function newRecord(spec: LoadSpec, settings: RunSettings, random: (bytes: number) => Buffer): JobRecord {
  const uuid = () => uuidText(stampUuid(random(16)));
  const u32 = () => 1 + (random(6).readUIntLE(0, 6) % (U32 - 1));
  return {
    program: VERSION,
    spec,
    settings,
    bucketUuid: uuid(),
    manifestBytes: spec.manifest === undefined ? undefined : 0,
    repaired: false,
    containerId: u32(),
    fsid: u32(),
    secretHex: random(SECRET_BYTES).toString('hex'),
    massUuid: uuid(),
    wipeEpoch: uuid(),
    jobId: uuid(),
    begun: false,
    readsBack: true,
    committing: false,
    committed: false,
    finalStatus: '',
    sessions: 0,
    sessionStart: { ms: 0, done: 0, bytes: 0 },
    settled: true,
    logNames: [],
    formerLogNames: [],
    encoder: '',
    books: true,
    notChecked: '',
    permille: 0,
  };
}

function createState(directory: StateDirectory, record: JobRecord, hooks: CommitHooks): JobState {
  try {
    return JobState.create(directory.databasePath, record, RESERVED_SEQUENCES + 1, directory.journal, hooks);
  } catch (error) {
    throw new ClfsError(
      'state',
      `Cannot write the job state in ${JSON.stringify(directory.path)}: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

function openState(directory: StateDirectory, hooks: CommitHooks): JobState {
  try {
    return JobState.open(directory.databasePath, directory.journal, hooks);
  } catch (error) {
    if (error instanceof ClfsError) throw error;
    throw new ClfsError(
      'state',
      `Cannot open the job state in ${JSON.stringify(directory.path)}: ${messageOf(error)}.`,
      { cause: error },
    );
  }
}

/**
 * Takes an empty container by its bucket object: of two jobs that want it, the first one to create that has it.
 *
 * @param keep told once the bucket object may be there: the state with its UUID is what the container is taken with by
 *   the next start
 * @throws ClfsError `container-not-empty` when there is anything but the job's own bucket object
 */
async function claimContainer(
  state: JobState,
  container: Container,
  lz4: Lz4,
  spec: LoadSpec,
  keep: () => void = () => undefined,
): Promise<void> {
  const { bucketUuid } = state.record;
  await requireUnused(container, lz4, bucketUuid, spec);
  try {
    await putBucket(container, bucketUuid, [], true);
  } catch (error) {
    const isThere = isClfsError(error, 'exists');
    if (isThere && (await readBucketUuid(container, lz4)) !== bucketUuid) throw notEmpty(spec);
    // A try whose answer was lost may have created it, whatever became of the next one.
    const isRefused = isClfsError(error, 'container-missing', 'access-denied') && container.uncertainUntilMs === 0;
    if (!isRefused) keep();
    if (!isThere) throw error;
  }
  keep();
  await container.flush();
  const readsBack = (await readBucketUuid(container, lz4)) === bucketUuid;
  state.transact(() => state.update({ begun: true, readsBack }));
}

function notEmpty(spec: LoadSpec): ClfsError {
  return new ClfsError(
    'container-not-empty',
    `The container ${JSON.stringify(spec.container)} is not empty. Load into an empty one; to go on with a job, name its --state-path and --new-session=false.`,
  );
}
