import { errorOf } from '../../engine/breakage.js';
import type { Work } from '../../engine/work.js';
import type { ChunkRecord } from '../../state/chunks.js';
import { quotePath } from '../../text/escape-path.js';
import { unpackEntries } from '../../worker/packed-entries.js';
import type { LoadKinds } from '../../worker/tasks.js';
import type { JobContext } from '../job-context.js';
import { chunkUnderWay, recordFiles, recordFilesPart } from '../record-results.js';
import { endChunk } from '../tries.js';
import { hasUnmounted } from '../unmounted-entries.js';
import type { LargeFilesUnderWay } from './large.js';
import { work } from './work.js';

/** Loads the entries of a chunk that is claimed. @param large gets the files that turn out to be large */
export function filesWork(context: JobContext, claimed: ChunkRecord, large: LargeFilesUnderWay): Work<LoadKinds> {
  const { place, handle } = context.directory(claimed.directory);
  const { firstSequence, count, entries } = claimed;
  const chunk = chunkUnderWay(claimed);
  return work('files', {
    task: { place, directoryHandle: handle, firstSequence, count, entries },
    units: count + 1,
    part(part) {
      if (!hasUnmounted(context, claimed)) recordFilesPart(context, chunk, part);
    },
    done(result, turn) {
      // What was read then does not count: it is a try that is lost.
      if (hasUnmounted(context, claimed)) endChunk(context, chunk, { failed: [], large: [], begun: count });
      else large.add(recordFiles(context, chunk, result));
      if (result.broken) turn.stop(errorOf(result.broken));
    },
    losses: context.losses.take(`chunk ${claimed.id}`),
    subject: () => subjectOf(context, claimed),
    lost(_turn, losses) {
      const added = endChunk(context, chunk, { failed: [], large: [], begun: count }, losses);
      for (const id of added) context.losses.set(`chunk ${id}`, losses);
    },
  });
}

function subjectOf(context: JobContext, { directory, entries, count }: ChunkRecord): string {
  const [first] = unpackEntries(entries);
  const path = quotePath(context.entryPath(directory, first.name));
  return count === 1 ? path : `${path} and ${count - 1} further entries of its directory`;
}
