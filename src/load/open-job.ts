import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import type { Container } from '../container/container.js';
import { type ParsedContainer, placeText } from '../container/open-container.js';
import { ClfsError, isClfsError, messageOf } from '../error.js';
import type { Lz4 } from '../format/envelope.js';
import { RESERVED_SEQUENCES, stampUuid, uuidText } from '../format/ids.js';
import { BUCKET_NAME } from '../format/names.js';
import { type Selection, selectionText } from '../source/selection.js';
import type { JobRecord } from '../state/job-record.js';
import { type CommitHooks, JobState } from '../state/job-state.js';
import { claimExistingState, claimNewState, type StateDirectory } from '../state/state-directory.js';
import { quotePath } from '../text/escape-path.js';
import { SECRET_BYTES } from '../worker/job-ids.js';
import { putBucket, readBucketUuid, requireOwnBucket } from './bucket-object.js';

const U32 = 0x1_0000_0000;

/** What a job is asked to be; a resumed one must have been started so. */
export interface JobWish {
  /** Absolute path. */
  readonly source: Buffer;
  readonly destination: ParsedContainer;
  readonly statePath: string;
  readonly compress: boolean;
  readonly preserveHardLinks: boolean;
  readonly selection: Selection;
  readonly manifest: boolean;
  readonly program: string;
}

/** A job whose state this process holds. */
export interface OpenJob {
  readonly state: JobState;
  readonly directory: StateDirectory;
}

/**
 * Begins a new job: takes the state directory, and with the bucket object the container.
 *
 * A job that is refused leaves no state and nothing in the container behind.
 *
 * @throws ClfsError `state`, `state-busy`; `container-not-empty`; whatever the container throws
 */
export async function beginJob(
  wish: JobWish,
  openContainer: () => Container | Promise<Container>,
  lz4: Lz4,
  hooks: CommitHooks,
  random: (bytes: number) => Buffer = randomBytes,
): Promise<OpenJob & { readonly container: Container }> {
  const directory = claimNewState(wish.statePath);
  let state: JobState | undefined;
  let container: Container | undefined;
  // A job that never began may have its bucket object there: it is taken over, and that object with it.
  const takenOver = existsSync(directory.databasePath);
  let asked = false;
  try {
    container = await openContainer();
    const record = newRecord(wish, random);
    const before = takenOver ? openState(directory, hooks) : undefined;
    // Between the look at the directory and its lock another process may have begun the job that is in it.
    if (before?.record.begun)
      throw new ClfsError('state', `The state directory ${JSON.stringify(directory.path)} holds a job already. Go on with it by --new-session=false.`);
    if (before) before.transact(() => before.update({ ...record, bucketUuid: before.record.bucketUuid }));
    state = before ?? createState(directory, record, hooks);
    await requireUnused(container, lz4, state.record.bucketUuid, wish);
    asked = true;
    await claimContainer(state, container, lz4, wish);
    return { state, directory, container };
  } catch (error) {
    state?.close();
    await container?.close();
    // Where the bucket object may be there, its UUID is kept for the next start.
    const refused = isClfsError(error, 'container-not-empty', 'container-missing', 'access-denied');
    if (takenOver || (asked && !refused)) directory.release();
    else directory.discard();
    throw error;
  }
}

/** @throws ClfsError `container-not-empty` when there is anything but the job's own bucket object */
async function requireUnused(container: Container, lz4: Lz4, bucketUuid: string, wish: JobWish): Promise<void> {
  for await (const page of container.list('')) {
    for (const { name } of page) if (name !== BUCKET_NAME) throw notEmpty(wish);
    if (page.length > 0 && (await readBucketUuid(container, lz4)) !== bucketUuid) throw notEmpty(wish);
  }
}

/**
 * Goes on with the job at the state path.
 *
 * @throws ClfsError `state`, `state-busy`; `usage` when it was started with other arguments; `container-other`, `container-missing`
 */
export async function resumeJob(
  wish: JobWish,
  openContainer: () => Container | Promise<Container>,
  lz4: Lz4,
  hooks: CommitHooks,
): Promise<OpenJob & { readonly container: Container }> {
  const directory = claimExistingState(wish.statePath);
  let state: JobState | undefined;
  let container: Container | undefined;
  try {
    state = openState(directory, hooks);
    requireSame(state.record, wish);
    container = await openContainer();
    if (state.record.begun && !state.record.readsBack) return { state, directory, container };
    if (state.record.begun) await requireOwnBucket(container, lz4, state.record.bucketUuid, placeText(wish.destination.place));
    else await claimContainer(state, container, lz4, wish);
    return { state, directory, container };
  } catch (error) {
    state?.close();
    await container?.close();
    directory.release();
    throw error;
  }
}

function newRecord(wish: JobWish, random: (bytes: number) => Buffer): JobRecord {
  const uuid = () => uuidText(stampUuid(random(16)));
  const u32 = () => 1 + (random(6).readUIntLE(0, 6) % (U32 - 1));
  return {
    program: wish.program,
    sourceHex: wish.source.toString('hex'),
    container: placeText(wish.destination.place),
    bucketUuid: uuid(),
    compress: wish.compress,
    preserveHardLinks: wish.preserveHardLinks,
    selection: wish.selection,
    manifestBytes: wish.manifest ? 0 : undefined,
    repaired: false,
    containerId: u32(),
    fsid: u32(),
    secretHex: random(SECRET_BYTES).toString('hex'),
    massUuid: uuid(),
    wipeEpoch: uuid(),
    jobId: uuid(),
    startedMs: Date.now(),
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
  };
}

function createState(directory: StateDirectory, record: JobRecord, hooks: CommitHooks): JobState {
  try {
    return JobState.create(directory.databasePath, record, RESERVED_SEQUENCES + 1, directory.journal, hooks);
  } catch (error) {
    throw new ClfsError('state', `Cannot write the job state in ${JSON.stringify(directory.path)}: ${messageOf(error)}.`, { cause: error });
  }
}

function openState(directory: StateDirectory, hooks: CommitHooks): JobState {
  try {
    return JobState.open(directory.databasePath, directory.journal, hooks);
  } catch (error) {
    if (error instanceof ClfsError) throw error;
    throw new ClfsError('state', `Cannot open the job state in ${JSON.stringify(directory.path)}: ${messageOf(error)}.`, { cause: error });
  }
}

/** Creates the bucket object: of two jobs that want one empty container, the first one to do so has it. */
async function claimContainer(state: JobState, container: Container, lz4: Lz4, wish: JobWish): Promise<void> {
  try {
    await putBucket(container, state.record.bucketUuid, [], true);
  } catch (error) {
    if (!isClfsError(error, 'exists')) throw error;
    if ((await readBucketUuid(container, lz4)) !== state.record.bucketUuid) throw notEmpty(wish);
  }
  await container.flush();
  const readsBack = (await readBucketUuid(container, lz4)) === state.record.bucketUuid;
  state.transact(() => state.update({ begun: true, readsBack }));
}

function requireSame(record: JobRecord, wish: JobWish): void {
  const differ = (what: string, was: string, is: string) =>
    new ClfsError(
      'usage',
      `The job in ${JSON.stringify(wish.statePath)} was started with ${what} ${was}, not ${is}. Go on with the same arguments, or start a new job.`,
    );
  const source = wish.source.toString('hex');
  if (record.sourceHex !== source) throw differ('source', quotePath(Buffer.from(record.sourceHex, 'hex')), quotePath(wish.source));
  if (record.compress !== wish.compress) throw differ('compression', record.compress ? 'LZ4' : 'DISABLED', wish.compress ? 'LZ4' : 'DISABLED');
  if (record.preserveHardLinks !== wish.preserveHardLinks)
    throw differ('--preserve-hardlinks', String(record.preserveHardLinks), String(wish.preserveHardLinks));
  if ((record.manifestBytes !== undefined) !== wish.manifest) throw differ('--manifest', String(record.manifestBytes !== undefined), String(wish.manifest));
  const was = selectionText(record.selection);
  const is = selectionText(wish.selection);
  if (was !== is) throw differ('the choice', was || 'everything', is || 'everything');
}

function notEmpty(wish: JobWish): ClfsError {
  return new ClfsError(
    'container-not-empty',
    `The container ${JSON.stringify(placeText(wish.destination.place))} is not empty. Load into an empty one; to go on with a job, name its --state-path and --new-session=false.`,
  );
}
