import { isClfsError } from '../error.js';
import { isDot, isDotDot } from '../format/dirents.js';
import { type EntryType, hintedType, ObjectType } from '../format/ids.js';
import { EntryPacker } from '../worker/packed-entries.js';
import type { LeftoverGuard } from './guard.js';
import type { JobContext } from './job-context.js';

/** Where a handle holds its sequence number. Source: docs/format.md 2 */
const SEQUENCE_AT = 8;
const PAGE = 1000;

/**
 * Brings back what version 0.1.0 had forgotten: the entries of a directory that is written and has a failed entry in it, when they are
 * no longer recorded. They stand in the directory's object in the container; without them it could not be written again.
 *
 * Before the failures are tried again.
 */
export async function restoreEntries(context: JobContext, reader: Pick<LeftoverGuard, 'entriesOf'>): Promise<void> {
  const { state } = context;
  for (let after = 0; ; ) {
    const directories = state.failures.directories(after, PAGE);
    if (directories.length === 0) return;
    for (const directory of directories) {
      if (state.directories.written(directory)) await restoreDirectory(context, reader, directory);
    }
    after = directories[directories.length - 1];
  }
}

async function restoreDirectory(context: JobContext, reader: Pick<LeftoverGuard, 'entriesOf'>, directory: number): Promise<void> {
  const { state } = context;
  const missing: { readonly sequence: number; readonly type: EntryType; readonly name: Uint8Array }[] = [];
  try {
    for (const { name, handle } of await reader.entriesOf(directory)) {
      const type = hintedType(handle);
      if (isDot(name) || isDotDot(name) || type === undefined || type === ObjectType.directory) continue;
      const sequence = Number(Buffer.from(handle).readBigUInt64LE(SEQUENCE_AT));
      if (state.chunks.counts(directory, sequence) || state.links.withSequence(sequence)) continue;
      missing.push({ sequence, type, name });
    }
  } catch (error) {
    if (!isClfsError(error, 'not-found', 'format')) throw error;
    context.log.write('WARNING', `cannot read back a directory that version 0.1.0 wrote: ${error.message}`);
    return;
  }
  state.transact(() => {
    for (const { sequence, type, name } of missing) {
      const packer = new EntryPacker();
      packer.add(type, name);
      state.chunks.addDone({ directory, firstSequence: sequence, ...packer.take() });
    }
  });
}
