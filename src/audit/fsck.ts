import type { Asker } from '../engine/asker.js';
import { ROOT_ID } from '../format/ids.js';
import type { ObjectIndex } from '../namespace/object-index.js';
import type { ContainerReader } from '../namespace/reader.js';
import { walk } from '../namespace/walk.js';
import { SpilledSet } from '../spill/spilled-set.js';
import { checkEntry } from './check-entry.js';
import { checkBucket, checkNames } from './check-names.js';
import { checkLinks, checkOrphans } from './check-references.js';
import { checkWithoutRoot, type WithoutRoot } from './check-without-root.js';
import { ContentCheck } from './content-check.js';
import type { FindingSink, Report } from './findings.js';
import type { FsckContext } from './fsck-context.js';
import { takeTurns } from './fsck-turns.js';
import { LinkBook } from './link-book.js';
import type { AuditKinds } from './tasks/kinds.js';

/** What is checked beyond the structure. */
export interface FsckOptions {
  /** Read the segments of files too. */
  readonly content: boolean;
  readonly signal?: AbortSignal;
  /** Told now and then how many entries have been checked. */
  readonly onProgress?: (entries: number) => void;
  /** Called now and then, and waited for: what was found so far can be written, so that it need not be kept. */
  readonly drain?: () => Promise<void>;
  /** Lanes that read the segments of files; by default the calling thread alone. */
  readonly crew?: Asker<AuditKinds>;
}

/** What a check went over. */
export interface FsckSummary {
  readonly entries: number;
  readonly objects: number;
  readonly errors: number;
  readonly warnings: number;
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
export async function fsck(
  reader: ContainerReader,
  index: ObjectIndex,
  options: FsckOptions,
  sink: FindingSink,
): Promise<FsckSummary> {
  let errors = 0;
  let warnings = 0;
  let entries = 0;
  const report: Report = (severity, code, path, object, message) => {
    if (severity === 'error') errors++;
    else warnings++;
    sink({ severity, code, path, object, message });
  };
  const context: FsckContext = {
    reader,
    index,
    content: options.content ? new ContentCheck(reader, options.crew, report) : undefined,
    turns: takeTurns(options.signal, async () => {
      options.onProgress?.(entries);
      await options.drain?.();
    }),
    used: index.idSet(),
    damagedDirectories: new SpilledSet(),
    links: new LinkBook(index.idSet()),
    linkedOnce: index.idSet(),
    load: undefined,
    withoutRoot: undefined,
    report,
  };
  try {
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
    await context.content?.finish();
    await checkLinks(context);
    await checkOrphans(context);
    options.onProgress?.(entries);
    return { entries, objects: index.count, errors, warnings, withoutRoot };
  } finally {
    context.withoutRoot?.close();
    for (const each of [context.used, context.damagedDirectories, context.links, context.linkedOnce]) each.close();
  }
}
