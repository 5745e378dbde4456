import { ROOT_ID } from '../format/ids.js';
import type { ContainerIndex, ObjectBlob } from '../namespace/object-finder.js';
import type { ContainerReader } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import { checkEntry } from './check-entry.js';
import { checkBucket, checkNames } from './check-names.js';
import { checkLinks, checkOrphans } from './check-references.js';
import { checkWithoutRoot, type WithoutRoot } from './check-without-root.js';
import type { FindingSink } from './findings.js';
import type { FsckContext } from './fsck-context.js';
import { takeTurns } from './fsck-turns.js';

/** What is checked beyond the structure. */
export interface FsckOptions {
  /** Read the segments of files too. */
  readonly content: boolean;
  readonly signal?: AbortSignal;
  /** Told now and then how many entries have been checked. */
  readonly onProgress?: (entries: number) => void;
}

/** What a check went over. */
export interface FsckSummary {
  readonly entries: number;
  readonly objects: number;
  readonly errors: number;
  readonly warnings: number;
  /** Whether some of it could not be read for reasons that are not the container's. */
  readonly incomplete: boolean;
  /** Set when there is no root directory, or it cannot be read: inodes whose directories are not there to list them. */
  readonly withoutRoot: WithoutRoot | undefined;
}

/**
 * Checks a container against itself: every rule of the format document that a reader can check.
 *
 * Where the root directory cannot be read (a load that has not been committed), what can be checked without it.
 *
 * @throws the signal's reason; whatever the container throws beside `format` and `not-found`
 */
export async function fsck(reader: ContainerReader, index: ContainerIndex, options: FsckOptions, sink: FindingSink): Promise<FsckSummary> {
  let errors = 0;
  let warnings = 0;
  let entries = 0;
  const single = new Set<ObjectBlob>();
  const context: FsckContext = {
    reader,
    index,
    content: options.content,
    turns: takeTurns(options.signal, () => options.onProgress?.(entries)),
    used: new Set(),
    damagedDirectories: new Set(),
    links: new Map(),
    linkedOnce(blob) {
      const before = single.has(blob);
      single.add(blob);
      return before;
    },
    load: undefined,
    withoutRoot: undefined,
    report(severity, code, path, object, message) {
      if (severity === 'error') errors++;
      else warnings++;
      sink({ severity, code, path, object, message });
    },
  };
  options.signal?.throwIfAborted();
  await checkNames(context);
  await checkBucket(context);
  let rootRead = false;
  for await (const entry of walk(reader, ROOT_ID)) {
    await context.turns.next();
    await checkEntry(context, entry);
    if (entry.path.length === 0 && entry.found) rootRead = true;
    entries++;
  }
  const withoutRoot = rootRead ? undefined : await checkWithoutRoot(context, () => entries++);
  await checkLinks(context);
  await checkOrphans(context);
  return { entries, objects: index.objects.size, errors, warnings, incomplete: false, withoutRoot };
}
