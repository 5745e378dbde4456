import { ClfsError, isClfsError } from '../error.js';
import { isDot, isDotDot } from '../format/dirents.js';
import { type EntryType, hintedType, ObjectType } from '../format/ids.js';
import { SpilledSet } from '../spill/spilled-set.js';
import type { ChunkRecord } from '../state/chunks.js';
import type { JobState } from '../state/job-state.js';
import { escapePath } from '../text/escape-path.js';
import { CHUNK_ENTRIES, EntryPacker } from '../worker/packed-entries.js';
import type { LeftoverGuard } from './guard.js';
import type { JobContext } from './job-context.js';
import { pages } from './tries.js';

/** Where a handle holds its sequence number. Source: docs/format.md 2 */
const SEQUENCE_AT = 8;
const PAGE = 1000;
/** Chunks that one transaction records. */
const CHUNKS_AT_ONCE = 32;

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
  if ((await bringBack(context, reader, directory)) > 0) state.transact(() => state.chunks.settleHidden(directory));
}

/**
 * Brings entries of a directory that is written back into the state which are not recorded any more, as its object in
 * the container has them. Names of linked inodes and directories are recorded all the time.
 *
 * There can be many millions: they come as hidden chunks, in transactions of a bounded size. A part of them would look
 * like all, so they count together, by `Chunks.settleHidden`; until then a crash forgets them.
 *
 * @returns how many
 * @throws ClfsError `container-differs` when the object is missing or damaged; where the job keeps no books there are
 * those that could be read then
 */
export async function bringBack(context: JobContext, reader: Reader, directory: number): Promise<number> {
  const { state } = context;
  const linked = linkedSequences(context, directory);
  const found = new HiddenChunks(state, directory);
  // Asked for each entry it would go over what is brought back, too.
  const hasRows = state.chunks.hasRows(directory);
  try {
    for await (const { name, handle } of reader.entriesOf(directory)) {
      const type = hintedType(handle);
      if (isDot(name) || isDotDot(name) || type === undefined || type === ObjectType.directory) continue;
      const sequence = Buffer.from(handle).readBigUInt64LE(SEQUENCE_AT);
      if (linked.has(keyOf(sequence)) || (hasRows && state.chunks.counts(directory, Number(sequence)))) continue;
      found.add(Number(sequence), type, name);
    }
  } catch (error) {
    if (!isClfsError(error, 'not-found', 'format')) throw error;
    if (state.record.books) throw cannotRestore(context, directory, error);
    context.log.write('WARNING', `cannot read back a directory that version 0.1.0 wrote: ${error.message}`);
  } finally {
    linked.close();
  }
  return found.finish();
}

/** Puts entries that are at the service into hidden chunks, of sequence numbers that follow each other. */
class HiddenChunks {
  readonly #state: JobState;
  readonly #directory: number;
  readonly #packer = new EntryPacker();
  #full: Omit<ChunkRecord, 'id' | 'attempts'>[] = [];
  #first = 0;
  #count = 0;

  constructor(state: JobState, directory: number) {
    this.#state = state;
    this.#directory = directory;
  }

  add(sequence: number, type: EntryType, name: Uint8Array): void {
    const { count } = this.#packer;
    if (count === CHUNK_ENTRIES || sequence !== this.#first + count) this.#end();
    if (this.#packer.count === 0) this.#first = sequence;
    this.#packer.add(type, name);
    this.#count++;
  }

  /** @returns how many there were */
  finish(): number {
    this.#end();
    this.#record();
    return this.#count;
  }

  #end(): void {
    if (this.#packer.count === 0) return;
    this.#full.push({ directory: this.#directory, firstSequence: this.#first, ...this.#packer.take() });
    if (this.#full.length === CHUNKS_AT_ONCE) this.#record();
  }

  #record(): void {
    const chunks = this.#full;
    this.#full = [];
    if (chunks.length === 0) return;
    this.#state.transact(() => {
      for (const chunk of chunks) this.#state.chunks.add(chunk, true);
    });
  }
}

/** Keys of the sequence numbers of the linked inodes that a directory's object leads to. To be closed. */
function linkedSequences({ state }: JobContext, directory: number): SpilledSet {
  const sequences = new SpilledSet();
  for (const { sequence } of pages((after) => state.links.ofDirectory(directory, after, PAGE)))
    sequences.add(keyOf(BigInt(sequence)));
  return sequences;
}

function keyOf(sequence: bigint): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(sequence);
  return key;
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
