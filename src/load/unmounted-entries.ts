import type { ChunkRecord } from '../state/chunks.js';
import type { LinkGroupRecord } from '../state/link-groups.js';
import { unpackEntries } from '../worker/packed-entries.js';
import type { JobContext } from './job-context.js';
import { recordFailure } from './record-failure.js';
import { chunkUnderWay, dropNames } from './record-results.js';
import { problemOfName, unmountedNames } from './source-proof.js';
import { endChunk } from './tries.js';

/*
 * A file can be mounted, too, as containers have it. What is loaded of a directory is known by its inode number; a file
 * of a chunk is known by its name alone, so it is looked whether it is mounted before it is read, and after that.
 */

/** Whether what is mounted at a name of a chunk is not what is recorded: what was read of it may be something else. */
export function hasUnmounted(context: JobContext, chunk: ChunkRecord): boolean {
  return unmountedIn(context, chunk).length > 0;
}

/**
 * Entries of a chunk that was claimed fail where what is recorded to be mounted at them is not; the others go on in
 * chunks of their own. Inside a transaction.
 *
 * @returns whether there were any
 */
export function failUnmounted(context: JobContext, chunk: ChunkRecord): boolean {
  const unmounted = unmountedIn(context, chunk);
  if (unmounted.length === 0) return false;
  for (const { name, type, problem } of unmounted)
    recordFailure(context, { directory: chunk.directory, name, type, ...problem });
  const failed = unmounted.map(({ index }) => index);
  endChunk(context, chunkUnderWay(chunk), { failed, large: [], begun: 0 });
  return true;
}

/** As {@link failUnmounted}, of the names of a linked inode that was claimed, which goes on without them. */
export function failUnmountedNames(context: JobContext, group: LinkGroupRecord): boolean {
  const links = context.state.links.links(group.id);
  const problems = links.flatMap(({ directory, name, written }, candidate) => {
    const problem = written ? undefined : problemOfName(unmountedNames(context, directory), name);
    return problem ? [{ candidate, ...problem }] : [];
  });
  if (problems.length > 0) dropNames(context, group, links, problems);
  return problems.length > 0;
}

function unmountedIn(context: JobContext, { directory, entries }: ChunkRecord) {
  const unmounted = unmountedNames(context, directory);
  if (unmounted.size === 0) return [];
  return [...unpackEntries(entries)].flatMap((entry) => {
    const problem = problemOfName(unmounted, entry.name);
    return problem ? [{ ...entry, problem }] : [];
  });
}
