import { ClfsError, isClfsError } from '../error.js';
import { isDot, isDotDot } from '../format/dirents.js';
import { type EntryType, hintedType, ObjectType } from '../format/ids.js';
import type { JobState } from '../state/job-state.js';
import { escapePath } from '../text/escape-path.js';
import { CHUNK_ENTRIES, EntryPacker } from '../worker/packed-entries.js';
import type { LeftoverGuard } from './guard.js';
import type { JobContext } from './job-context.js';
import { pages } from './tries.js';

/** Where a handle holds its sequence number. Source: docs/format.md 2 */
const SEQUENCE_AT = 8;
const PAGE = 1000;

type Reader = Pick<LeftoverGuard, 'entriesOf'>;

/**
 * Brings back what version 0.1.0 had forgotten: the entries of a directory that is written and has a failed entry in
 * it, when they are no longer recorded. They stand in the directory's object in the container; without them it could
 * not be written again.
 *
 * Before the failures are tried again.
 */
export async function restoreEntries(context: JobContext, reader: Reader): Promise<void> {
  const { state } = context;
  for (let after = 0; ; ) {
    const directories = state.failures.directories(after, PAGE);
    if (directories.length === 0) return;
    for (const directory of directories) {
      if (state.directoryLife.written(directory)) await restoreDirectory(context, reader, directory);
    }
    after = directories[directories.length - 1];
  }
}

async function restoreDirectory(context: JobContext, reader: Reader, directory: number): Promise<void> {
  const { state } = context;
  const forgotten = await readForgotten(context, reader, directory);
  state.transact(() => recordForgotten(state, directory, forgotten));
}

/** An entry that counts, and is not recorded. */
export interface ForgottenEntry {
  readonly sequence: number;
  readonly type: EntryType;
  readonly name: Uint8Array;
}

/**
 * Entries of a directory that is written which are not recorded any more, by ascending sequence number, as its object
 * in the container has them. Names of linked inodes and directories are recorded all the time.
 *
 * @throws ClfsError `container-differs` when the object is missing or damaged; where the job keeps no books there are
 * none then
 */
export async function readForgotten(
  context: JobContext,
  reader: Reader,
  directory: number,
): Promise<readonly ForgottenEntry[]> {
  const { state } = context;
  const forgotten: ForgottenEntry[] = [];
  const linked = linkedSequences(context, directory);
  try {
    for (const { name, handle } of await reader.entriesOf(directory)) {
      const type = hintedType(handle);
      if (isDot(name) || isDotDot(name) || type === undefined || type === ObjectType.directory) continue;
      const sequence = Number(Buffer.from(handle).readBigUInt64LE(SEQUENCE_AT));
      if (linked.has(sequence) || state.chunks.counts(directory, sequence)) continue;
      forgotten.push({ sequence, type, name });
    }
  } catch (error) {
    if (!isClfsError(error, 'not-found', 'format')) throw error;
    if (state.record.books) throw cannotRestore(context, directory, error);
    context.log.write('WARNING', `cannot read back a directory that version 0.1.0 wrote: ${error.message}`);
  }
  return forgotten.sort((a, b) => a.sequence - b.sequence);
}

/** Records entries as done; inside a transaction, one for all: a part of them would look like all. */
export function recordForgotten(state: JobState, directory: number, forgotten: readonly ForgottenEntry[]): void {
  for (let at = 0; at < forgotten.length; ) {
    const firstSequence = forgotten[at].sequence;
    const packer = new EntryPacker();
    for (; packer.count < CHUNK_ENTRIES && forgotten[at]?.sequence === firstSequence + packer.count; at++)
      packer.add(forgotten[at].type, forgotten[at].name);
    state.chunks.addDone({ directory, firstSequence, ...packer.take() });
  }
}

/** Sequence numbers of the linked inodes that a directory's object leads to. */
function linkedSequences({ state }: JobContext, directory: number): ReadonlySet<number> {
  const sequences = new Set<number>();
  for (const { sequence } of pages((after) => state.links.ofDirectory(directory, after, PAGE))) sequences.add(sequence);
  return sequences;
}

function cannotRestore(context: JobContext, directory: number, cause: ClfsError): ClfsError {
  const { parent, name } = context.state.directories.get(directory);
  const path = escapePath(context.entryPath(parent, name)) || 'the root';
  return new ClfsError(
    'container-differs',
    `Cannot read the directory ${path} back from the container ${JSON.stringify(context.state.record.spec.container)}, to write it anew: ${cause.message} Put back what was removed, and go on with --new-session=false; else load into an empty container.`,
    { cause },
  );
}
