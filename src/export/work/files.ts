import { BitSet } from '../../books/bit-set.js';
import { errorOf } from '../../engine/breakage.js';
import type { Work } from '../../engine/work.js';
import { quotePath } from '../../text/escape-path.js';
import type { ExportJobContext } from '../job-context.js';
import type { ChunkRecord } from '../state/chunks.js';
import type { ExportKinds, FilesPart, FilesResult } from '../tasks/kinds.js';
import { type ExportEntry, unpackEntries } from '../tasks/packed-entries.js';
import { work } from './work.js';

/** Writes the entries of a chunk that is claimed. */
export function filesWork(context: ExportJobContext, chunk: ChunkRecord): Work<ExportKinds> {
  const { id, directory, count, entries } = chunk;
  const settled = new BitSet(count, chunk.settled.bytes);
  const key = `files ${id}`;
  return work('files', {
    task: {
      ...context.place(directory),
      count,
      entries,
      settled: chunk.settled.bytes,
      attempt: context.nextAttempt(),
    },
    units: count + 1,
    part(part) {
      recordDone(context, directory, settled, part);
      context.state.chunks.settle(id, settled);
    },
    done(result, turn) {
      recordDone(context, directory, settled, result);
      recordFound(context, chunk, settled, result);
      if (isFull(settled, count)) context.state.chunks.delete(id);
      else {
        context.state.chunks.settle(id, settled);
        context.state.chunks.release(id);
        // What it had begun and not ended has a name that no other try looks for.
        if (context.constants.isShared) context.state.leftovers.add(directory);
      }
      if (result.broken) turn.stop(errorOf(result.broken));
    },
    losses: context.takeLosses(key),
    lost(_turn, losses) {
      context.lost(key, losses, [directory]);
      context.state.chunks.release(id);
    },
    subject: () => `entries of ${quotePath(context.path(directory))}`,
  });
}

function recordDone(
  context: ExportJobContext,
  directory: number,
  settled: BitSet,
  { done, written, replaced, left, bytes, counts, passedBytes }: FilesPart,
): void {
  const { state, census } = context;
  settled.addAll(done);
  if (written + replaced + left > 0) state.directories.setFilled(directory);
  state.count({ written, replaced, left, bytes });
  context.passed(passedBytes);
  census.add(directory, counts, written + replaced + left, bytes);
}

/** Records what was found out about: directories, links and large files, and what failed. */
function recordFound(
  context: ExportJobContext,
  { directory, entries: packed }: ChunkRecord,
  settled: BitSet,
  result: FilesResult,
): void {
  const { state } = context;
  const { failures, directories, links, large, excluded } = result;
  if (failures.length + directories.length + links.length + large.length + excluded.length === 0) return;
  const entries: ExportEntry[] = [...unpackEntries(packed)];
  const settle = (index: number) => {
    settled.add(index);
    return entries[index];
  };
  for (const { index, reason, message } of failures) context.fail({ directory, ...settle(index) }, { reason, message });
  for (const index of directories) {
    const { name, handle } = settle(index);
    context.foundDirectory(directory, name, handle);
  }
  for (const index of links) {
    const { name, handle } = settle(index);
    state.links.add(handle, directory, name);
  }
  for (const { index, sizeBytes, blocks } of large) {
    const { name, handle } = settle(index);
    state.large.add({ group: undefined, directory, name, handle, sizeBytes, blocks });
  }
  for (const index of excluded) settle(index);
  state.count({ excluded: excluded.length });
}

function isFull(set: BitSet, count: number): boolean {
  for (let index = 0; index < count; index++) if (!set.has(index)) return false;
  return true;
}
