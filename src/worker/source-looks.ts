import { ClfsError, isClfsError } from '../error.js';
import { joinPath } from '../paths/join-path.js';
import type { DirectoryIdentity, ListedEntry, SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import { openDirectory, underWay, type WorkContext } from './context.js';

/* Listings and looks at entries, in the way of calling that the lane has. */

const NO_NAME = Buffer.alloc(0);

/** Attributes of an open directory. @throws as `SourceDirectory.attributes` */
export function directoryAttributes(
  directory: SourceDirectory,
  path: Uint8Array,
  context: Pick<WorkContext, 'pace'>,
  fresh?: boolean,
): SourceAttributes | Promise<SourceAttributes> {
  const async = context.pace.isAsync ? directory.async : undefined;
  return async ? underWay(context, path, NO_NAME, () => async.attributes(fresh)) : directory.attributes(fresh);
}

/**
 * Attributes of the directory at a path, which is opened and closed for that. @throws as `SourceTree.openDirectory`;
 * ClfsError `open-files`
 */
export async function lookAtDirectory(
  context: Pick<WorkContext, 'source' | 'pace'>,
  path: Buffer,
  expected?: DirectoryIdentity,
): Promise<SourceAttributes> {
  const directory = await openDirectory(context, path, expected);
  try {
    return await directoryAttributes(directory, path, context);
  } finally {
    directory.close();
  }
}

/** Entries of a directory, some at a time. @throws as `SourceDirectory.list` */
export async function* listing(
  directory: SourceDirectory,
  path: Uint8Array,
  context: WorkContext,
): AsyncGenerator<readonly ListedEntry[]> {
  const { waits, isAsync } = context.pace;
  const async = isAsync ? directory.async : undefined;
  if (!async) {
    waits.blocks(path, NO_NAME);
    try {
      for (const batch of directory.list()) {
        waits.unblocks();
        yield batch;
        waits.blocks(path, NO_NAME);
      }
    } finally {
      waits.unblocks();
    }
    return;
  }
  const batches = async.list()[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = await underWay(context, path, NO_NAME, () => batches.next());
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await batches.return?.();
  }
}

/** Looks at entries of a directory; where calls take long, at many of them at once before they are wanted. */
export class EntryLooks {
  readonly #directory: SourceDirectory;
  readonly #path: Uint8Array;
  readonly #context: WorkContext;
  #prepared = new Map<ListedEntry, SourceAttributes | ClfsError>();

  /** @param path of the directory */
  constructor(directory: SourceDirectory, path: Uint8Array, context: WorkContext) {
    this.#directory = directory;
    this.#path = path;
    this.#context = context;
  }

  /** Looks at entries that are wanted next, side by side; does nothing where calls are answered at once. */
  async prepare(entries: readonly ListedEntry[]): Promise<void> {
    this.#prepared.clear();
    const async = this.#context.pace.isAsync ? this.#directory.async : undefined;
    if (!async) return;
    await Promise.all(
      entries.map(async (entry) => {
        const { name } = entry;
        const look = () => underWay(this.#context, this.#path, name, () => async.attributesOf(name));
        const found = await look().catch(entryError);
        this.#prepared.set(entry, found instanceof ClfsError ? await this.#again(entry, found, look) : found);
      }),
    );
  }

  /**
   * Attributes of an entry, or why it has none.
   *
   * @throws what is no failure of the entry
   */
  at(entry: ListedEntry): SourceAttributes | ClfsError | Promise<SourceAttributes | ClfsError> {
    const prepared = this.#prepared.get(entry);
    if (prepared) return prepared;
    const { pace } = this.#context;
    const look = () => this.#directory.attributesOf(entry.name);
    const begunMs = pace.isLooking ? performance.now() : 0;
    pace.waits.blocks(this.#path, entry.name);
    try {
      return look();
    } catch (error) {
      return this.#again(entry, entryError(error), look);
    } finally {
      pace.waits.unblocks();
      if (begunMs > 0) pace.took(performance.now() - begunMs);
    }
  }

  #again(
    { name }: ListedEntry,
    error: ClfsError,
    look: () => SourceAttributes | Promise<SourceAttributes>,
  ): Promise<SourceAttributes | ClfsError> {
    // What is mounted there may be what does not answer.
    const path = joinPath(this.#path, name);
    return this.#context.outage.again(path, error, look).catch(entryError);
  }
}

/** The failure of an entry. @throws whatever else it is */
function entryError(error: unknown): ClfsError {
  if (isClfsError(error, 'entry')) return error;
  throw error;
}
