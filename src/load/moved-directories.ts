import { isClfsError } from '../error.js';
import { ObjectType } from '../format/ids.js';
import { isSamePlace } from '../source/source-place.js';
import type { SourceAttributes, SourceTree } from '../source/source-tree.js';
import { ROOT_DIRECTORY } from '../state/directories.js';
import { escapePath } from '../text/escape-path.js';
import { type EndTools, requireGoOn } from './end-tools.js';
import { GiveUp } from './give-up.js';
import type { JobContext } from './job-context.js';
import { hasLeftSource, lookAtSource } from './look-at-source.js';
import { relinkGroups } from './relink.js';
import { otherRoot } from './source-proof.js';

const PAGE = 1000;

/**
 * Where a directory is: in its place; not there, and then which is the topmost above it that is not; or not to be told
 * now.
 */
type Place =
  | { readonly kind: 'here' }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'moved'; readonly topmost: number };

const HERE: Place = { kind: 'here' };
const UNKNOWN: Place = { kind: 'unknown' };

/**
 * The rule of directories that are not in their place any more, in one place. Before failures are tried again:
 *
 *   1. A directory is looked at, by its path, when an entry of it has failed, or when it keeps another one out: the
 *      same directory, which was met by another path (`directory-reached-twice`).
 *   2. It is not in its place when its path leads to no directory, to another directory than the recorded one, or to
 *      nothing while its parent does not list it either; while its parent is in its place, and while the source is the
 *      one that was loaded, with the same file systems mounted on the way to it (`source-place.ts`). What cannot be told
 *      changes nothing.
 *   3. Then the topmost directory above it that is not in its place is given up with all that is below (`give-up.ts`),
 *      and its name is a failure of its parent. That is looked at as all failures are: what is there now is new, or
 *      gone.
 *
 * @returns whether anything was given up
 * @throws ClfsError `source` when the root is another directory than the one that was loaded
 */
export async function giveUpMoved(context: JobContext, tools: EndTools): Promise<boolean> {
  const { state } = context;
  const giveUp = new GiveUp(context, tools);
  const search = new Search(context, tools, giveUp);
  // What a session before had begun.
  const begun = state.directoryLife.leaving();
  await giveUp.finish(begun);
  // Where nothing can be looked at nothing is removed.
  if (!state.record.readsBack) return false;
  for (let after = 0; ; ) {
    const directories = state.failures.directories(after, PAGE);
    if (directories.length === 0) break;
    for (const directory of directories) await search.consider(directory);
    after = directories[directories.length - 1];
  }
  for (let after = 0; ; ) {
    const failures = state.failures.withReason('directory-reached-twice', after, PAGE);
    if (failures.length === 0) break;
    for (const { directory, name } of failures) {
      const other = state.directories.find(directory) && (await search.recordedAt(context.entryPath(directory, name)));
      if (other !== undefined) await search.consider(other);
    }
    after = failures[failures.length - 1].id;
  }
  const relinked = await relinkGroups(context, tools);
  return search.found || relinked || begun.length > 0;
}

class Search {
  readonly #context: JobContext;
  readonly #tools: EndTools;
  readonly #giveUp: GiveUp;
  #found = false;

  constructor(context: JobContext, tools: EndTools, giveUp: GiveUp) {
    this.#context = context;
    this.#tools = tools;
    this.#giveUp = giveUp;
  }

  get found(): boolean {
    return this.#found;
  }

  /** Looks whether a directory is in its place, and gives up what is not. */
  async consider(directory: number): Promise<void> {
    requireGoOn(this.#tools.signal);
    const { state, log } = this.#context;
    // It may have been given up with one above it.
    if (!state.directories.find(directory)) return;
    const place = await this.#placeOf(directory);
    if (place.kind !== 'moved') return;
    const { parent, name } = state.directories.get(place.topmost);
    const path = this.#context.entryPath(parent, name);
    await this.#giveUp.begin(place.topmost, () => {
      const message = 'another directory has taken its place, or none: what was loaded of it is given up';
      const timeMs = this.#context.clock.now();
      state.failures.put({
        directory: parent,
        name,
        type: ObjectType.directory,
        reason: 'directory-changed',
        message,
        attempts: 0,
        timeMs,
        further: false,
      });
      // The end that a session before had come to is none any more; the root was not put, or it is committed.
      state.update({ repaired: true, committing: false });
      this.#context.manifest?.giveUp(path);
      log.write(
        'INFO',
        `${escapePath(path)}: it is not the directory any more that was loaded: it is given up with all that is below, and looked at anew`,
      );
    });
    await this.#giveUp.finish([place.topmost]);
    this.#found = true;
  }

  /** The recorded directory that is at a path of the source now; undefined when there is none, or it cannot be told. */
  async recordedAt(path: Buffer): Promise<number | undefined> {
    const attributes = await this.#attributesAt(path);
    if ('reason' in attributes) return undefined;
    const { state } = this.#context;
    const fileSystem = state.fileSystemIn(attributes.device);
    return fileSystem === undefined ? undefined : state.directories.withIdentity(fileSystem, attributes);
  }

  async #placeOf(directory: number): Promise<Place> {
    const found = await this.#look(directory);
    if (found !== 'changed') return found === 'here' ? HERE : UNKNOWN;
    const { state } = this.#context;
    if (directory === ROOT_DIRECTORY) throw otherRoot();
    const { parent } = state.directories.get(directory);
    const above = await this.#placeOf(parent);
    if (above.kind !== 'here') return above;
    // Its parent may have been away while it was looked for.
    if ((await this.#look(directory)) !== 'changed' || !(await this.#hasLeft(directory, parent))) return UNKNOWN;
    return (await this.#isProven(directory, parent)) ? { kind: 'moved', topmost: directory } : UNKNOWN;
  }

  /** A name that is listed and leads to nothing says nothing of what it led to. */
  async #hasLeft(directory: number, parent: number): Promise<boolean> {
    const { name } = this.#context.state.directories.get(directory);
    try {
      return await hasLeftSource(this.#tools, this.#context.directory(parent).path, Buffer.from(name));
    } catch (error) {
      if (!isClfsError(error, 'entry')) throw error;
      return false;
    }
  }

  async #look(directory: number): Promise<'here' | 'changed' | 'unknown'> {
    const { path, place } = this.#context.directory(directory);
    // Version 0.1.0 had found it, and not looked at it.
    if (place.inode === 0n) return 'unknown';
    const found = await this.#attributesAt(path, place);
    if (!('reason' in found)) return 'here';
    return found.reason === 'directory-changed' ? 'changed' : 'unknown';
  }

  /**
   * Whether it is certain that a directory has left its place: not so when the path leads elsewhere only since a file
   * system is not mounted, or another one is. What would be removed may be the only copy.
   */
  async #isProven(directory: number, parent: number): Promise<boolean> {
    const { state, log } = this.#context;
    const { path } = this.#context.directory(directory);
    const { fileSystem } = state.directories.get(directory);
    let proven = isSamePlace(state.record.sourcePlace, this.#tools.work.source.place?.(), path);
    if (proven && fileSystem !== state.directories.get(parent).fileSystem) {
      const found = await this.#attributesAt(path);
      proven = !('reason' in found) && found.device === state.deviceOf(fileSystem);
    }
    if (!proven)
      log.write(
        'WARNING',
        `${escapePath(path)}: it is not what was loaded, or its file system is not mounted: mount it, or put back what was there, and go on; if it is gone for good, what failed below it stays failed, and what is there now can only be loaded into an empty container`,
      );
    return proven;
  }

  async #attributesAt(
    path: Buffer,
    expected?: Parameters<SourceTree['openDirectory']>[1],
  ): Promise<SourceAttributes | { readonly reason: string }> {
    try {
      return await lookAtSource(this.#tools, path, expected);
    } catch (error) {
      if (!isClfsError(error, 'entry')) throw error;
      return { reason: error.reason ?? '' };
    }
  }
}
