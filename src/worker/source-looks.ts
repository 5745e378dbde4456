import { ClfsError, isClfsError } from '../error.js';
import { joinPath } from '../paths/join-path.js';
import { batches, NO_PATIENCE } from '../source/patient-calls.js';
import type { DirectoryIdentity, ListedEntry, SourceAttributes, SourceDirectory } from '../source/source-tree.js';
import { openDirectory, type WorkContext } from './context.js';

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
  return async ? context.pace.during(path, NO_NAME, () => async.attributes(fresh)) : directory.attributes(fresh);
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

/**
 * Entries of a directory, some at a time; that there is no descriptor left to list it by is waited for. @throws as
 * `SourceDirectory.list`; ClfsError `open-files`
 */
export function listing(
  directory: SourceDirectory,
  path: Uint8Array,
  { pace }: Pick<WorkContext, 'pace'>,
): AsyncGenerator<readonly ListedEntry[]> {
  return batches(directory, Buffer.from(path), pace, NO_PATIENCE);
}

/**
 * Which of the names that were not found the directory still lists. That a name is not found does not mean that it is
 * gone: an automounter says so of one whose server is away, and a file system of one whose object it has lost.
 *
 * @throws as `SourceDirectory.list`
 */
export async function stillListed(
  names: readonly Buffer[],
  directory: SourceDirectory,
  path: Uint8Array,
  context: Pick<WorkContext, 'pace'>,
): Promise<(name: Buffer) => boolean> {
  const wanted = new Set(names.map(textOf));
  const listed = new Set<string>();
  if (wanted.size > 0)
    for await (const batch of listing(directory, path, context))
      for (const { name } of batch) if (wanted.has(textOf(name))) listed.add(textOf(name));
  return (name) => listed.has(textOf(name));
}

const textOf = (name: Buffer) => name.toString('latin1');

/**
 * Whether it is certain that a directory which is not found by its name has left that: something else has it, or it is
 * not listed any more.
 *
 * @param path of the directory that it was in
 * @throws as `SourceTree.openDirectory`, `SourceDirectory.list`; ClfsError `open-files`
 */
export async function hasLeft(
  context: Pick<WorkContext, 'source' | 'pace'>,
  path: Buffer,
  name: Buffer,
): Promise<boolean> {
  const directory = await openDirectory(context, path);
  try {
    const async = context.pace.isAsync ? directory.async : undefined;
    await (async ? context.pace.during(path, name, () => async.attributesOf(name)) : directory.attributesOf(name));
    return true;
  } catch (error) {
    if (!isClfsError(error, 'entry')) throw error;
    return error.reason === 'entry-vanished' && !(await stillListed([name], directory, path, context))(name);
  } finally {
    directory.close();
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
        const look = () => this.#context.pace.during(this.#path, name, () => async.attributesOf(name));
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
