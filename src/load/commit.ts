import { Tally } from '../books/tally.js';
import { ClfsError, isClfsError } from '../error.js';
import { decodeObject } from '../format/envelope.js';
import { ObjectType, ROOT_ID } from '../format/ids.js';
import { encodeObjectName, FIRST_VERSION } from '../format/names.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import type { RootSeal } from '../state/root-seal.js';
import { DirectoryStatus } from '../state/schema.js';
import { writeDirectory } from '../worker/write-directory.js';
import { putBucket, requireOwnBucket } from './bucket-object.js';
import { checkListing } from './check-listing.js';
import { DirectoryFeeder } from './directory-feeder.js';
import { type EndTools, requireGoOn, waitForLatePuts } from './end-tools.js';
import type { JobContext } from './job-context.js';
import { recordDirectoryWritten } from './record-results.js';

/** The root's inode is at most this long. */
const ROOT_LIMIT_BYTES = 1048576;

/**
 * Commits a job: seals the root, puts the logs and the bucket object with their names, compares the listing with the
 * books, and at last puts the root's inode, unless the one that counts is the latest.
 *
 * Each step can be repeated: what has been done is done again with the same names and bytes.
 */
export async function commit(context: JobContext, tools: EndTools): Promise<void> {
  const { state } = context;
  const { container } = tools.work;
  // A container that was deleted and made again meanwhile lacks what was put before.
  if (state.record.readsBack)
    await requireOwnBucket(container, tools.lz4, state.record.bucketUuid, state.record.spec.container);
  const seal = await sealRoot(context, tools);
  // The bucket object and the logs are put in place: an earlier put of theirs must not come after them.
  if (state.record.logNames.length > 0) await waitForLatePuts(tools);
  await putLogs(context, tools);
  requireGoOn(tools.signal);
  const notChecked = whyNotChecked(context, tools);
  // A repair that left the root as it is ends here: what it put is looked at like everything else.
  if (notChecked === '') await checkListing(context, tools, seal?.name);
  requireGoOn(tools.signal);
  if (!seal) {
    state.transact(() => state.update({ committed: true, notChecked }));
    return;
  }
  const storedBytes = await putRoot(context, tools, seal);
  const tally = Tally.decode(seal.tally);
  tally.add(ObjectType.directory, seal.name, storedBytes);
  state.transact(() => {
    state.removeObjects(Tally.decode(seal.tally));
    recordDirectoryWritten(context, ROOT_DIRECTORY, seal.blocks, tally);
    state.rootSeals.drop();
    state.update({ committed: true, notChecked });
  });
}

/** Why the listing is not compared with the books; empty when it is. */
function whyNotChecked({ state }: JobContext, tools: EndTools): string {
  if (!state.record.readsBack) return 'the service does not give back what was put into it';
  if (!state.record.books) return 'the job was begun by version 0.1.0, which kept no tally';
  return tools.noCheck;
}

/**
 * Puts the root's segments and indirect blocks, and records its inode as it will be put.
 *
 * @returns undefined when the root that counts is the latest
 */
async function sealRoot(context: JobContext, tools: EndTools): Promise<RootSeal | undefined> {
  const { state } = context;
  const sealed = state.rootSeals.get();
  if (sealed) return sealed;
  const { status } = state.directories.get(ROOT_DIRECTORY);
  if (status === DirectoryStatus.written) return undefined;
  if (status !== DirectoryStatus.ready)
    throw new Error(`The root directory has status ${status} at the end of the load.`);
  state.transact(() => {
    state.directoryLife.claimRoot();
    state.update({ committing: true });
  });
  const feeder = new DirectoryFeeder(ROOT_DIRECTORY);
  const manifest: string[] = [];
  let inode: Uint8Array | undefined;
  while (!feeder.complete) {
    requireGoOn(tools.signal);
    const result = await writeDirectory(feeder.next(context), tools.work);
    feeder.take(result);
    manifest.push(...result.manifest);
    ({ inode } = result);
  }
  if (!inode) throw new Error('The root directory was written without its inode.');
  const { revision } = state.directories.get(ROOT_DIRECTORY);
  const version = FIRST_VERSION + revision;
  const name = encodeObjectName({ id: ROOT_ID, type: ObjectType.directory, owner: ROOT_ID, version });
  const seal = { revision, name, body: inode, blocks: feeder.blocks, tally: feeder.tally.encode() };
  state.transact(() => {
    context.manifest?.append(manifest);
    state.addObjects(feeder.tally);
    state.rootSeals.put(seal);
  });
  return seal;
}

/**
 * The log of a job grows over its sessions: each writes the same blobs again, and the bucket object with their names.
 */
async function putLogs(context: JobContext, tools: EndTools): Promise<void> {
  const { state, log } = context;
  const { container } = tools.work;
  const parts = log.parts();
  const logNames = parts.map((_, index) => `clfsload-${state.record.jobId.slice(0, 8)}-${index + 1}.log`);
  const { logNames: before, formerLogNames } = state.record;
  const former = [...new Set([...before, ...formerLogNames])].filter((name) => !logNames.includes(name));
  state.transact(() => state.update({ logNames, formerLogNames: former, committing: true }));
  for (const [index, bytes] of parts.entries()) await container.put(logNames[index], bytes);
  await putBucket(container, state.record.bucketUuid, logNames);
  if (former.length > 0) {
    for (const name of former) await container.delete(name);
    state.transact(() => state.update({ formerLogNames: [] }));
  }
  await container.flush();
}

/**
 * Puts the root's inode under its real name: from then on the container can be mounted.
 *
 * @returns length of its blob
 * @throws ClfsError `container-other` when another root is there
 */
async function putRoot(context: JobContext, tools: EndTools, seal: RootSeal): Promise<number> {
  const { writer, container } = tools.work;
  let storedBytes: number;
  try {
    storedBytes = await writer.putBody(seal.name, seal.body, true);
  } catch (error) {
    if (!isClfsError(error, 'exists')) throw error;
    // The root may be there by this job's own create: its answer was lost, or the session died right after it.
    const blob = await container.get(seal.name, ROOT_LIMIT_BYTES);
    const { body } = decodeObject(blob, ROOT_LIMIT_BYTES, tools.lz4);
    if (Buffer.compare(body, seal.body) !== 0) {
      const where = JSON.stringify(context.state.record.spec.container);
      const text = `The container ${where} has the root directory of another load. Load into an empty container.`;
      throw new ClfsError('container-other', text, { cause: error });
    }
    storedBytes = blob.length;
  }
  await container.flush();
  return storedBytes;
}
