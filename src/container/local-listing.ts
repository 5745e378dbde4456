import type { BigIntStats } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { isClfsError } from '../error.js';
import type { BlobInfo } from './container.js';
import { isSettled, type KeptNames, LOOKED_UP_CHARACTERS, NamesTaker } from './kept-names.js';
import { answers, mayBeOfOneFile } from './local-answers.js';
import { type BlobLook, TEMPORARY } from './local-files.js';
import type { LocalPlace } from './local-place.js';

const PENDING = Symbol('the names are not read yet');
/** How often whoever waits for names gets a turn. */
const TURN_MS = 20;

/** Lists a container on disk. To be closed. */
export class LocalListing {
  readonly #place: LocalPlace;
  /** The directory and a slash. */
  readonly #prefix: Buffer;
  #keepsNames: boolean;
  #names: KeptNames | undefined;
  #taking: Promise<void> | undefined;
  #closed = false;

  /** @param keepsNames see `LocalOptions` */
  constructor(place: LocalPlace, keepsNames: boolean) {
    this.#place = place;
    this.#prefix = Buffer.from(`${place.directory}/`);
    this.#keepsNames = keepsNames;
  }

  async *list(prefix: string): AsyncGenerator<readonly BlobInfo[]> {
    const wanted = Buffer.from(prefix).toString('latin1');
    if (this.#keepsNames && prefix.length >= LOOKED_UP_CHARACTERS) {
      const current = this.#currentNames();
      const look = () => Promise.race([current, sleep(TURN_MS, PENDING)]);
      let names = await look();
      // Whoever waits for a timer or a signal gets a turn: such a page holds nothing.
      for (; names === PENDING; names = await look()) yield [];
      if (names) {
        yield await this.#infos([...names.find(wanted)]);
        return;
      }
    }
    // Also where no name begins with the prefix: the page is empty then.
    for await (const names of this.#place.names('list'))
      yield await this.#infos(names.filter((name) => name.startsWith(wanted) && !name.startsWith(TEMPORARY)));
  }

  close(): void {
    this.#closed = true;
    this.#names?.close();
    this.#names = undefined;
  }

  /** The names as they are now; undefined when they cannot be kept. Whoever asks at the same time gets the same. */
  async #currentNames(): Promise<KeptNames | undefined> {
    if (this.#names?.isCurrent(await this.#times())) return this.#names;
    this.#taking ??= this.#takeNames().finally(() => {
      this.#taking = undefined;
    });
    await this.#taking;
    return this.#names?.isCurrent(await this.#times()) ? this.#names : undefined;
  }

  async #takeNames(): Promise<void> {
    this.#names?.close();
    this.#names = undefined;
    const before = await this.#times();
    if (this.#closed || !isSettled(before)) return;
    let taker: NamesTaker | undefined;
    try {
      taker = new NamesTaker(before);
      for await (const names of this.#place.names('list')) {
        if (this.#closed) return;
        for (const name of names) if (!name.startsWith(TEMPORARY)) taker.add(name);
      }
      const after = await this.#times();
      // Nobody would close it any more.
      if (!this.#closed) this.#names = taker.finish(after);
    } catch (error) {
      // Without room for temporary files each listing reads the directory.
      if (!isClfsError(error, 'temporary')) throw error;
      this.#keepsNames = false;
    } finally {
      if (!this.#names) taker?.close();
    }
  }

  async #times(): Promise<BigIntStats> {
    const { directory, ways, descriptor } = this.#place;
    try {
      return await ways.of(directory, descriptor, (files, fd) => files.times(fd));
    } catch (error) {
      throw this.#place.failure('list', directory, error);
    }
  }

  /** Blobs as a listing shows them, by their names as bytes; without what is no file, or has vanished meanwhile. */
  async #infos(names: readonly string[]): Promise<readonly BlobInfo[]> {
    const infos: BlobInfo[] = [];
    const paths = names.map((latin1) => Buffer.concat([this.#prefix, Buffer.from(latin1, 'latin1')]));
    for (const [at, look] of (await this.#look(paths)).entries())
      if (look?.isFile) infos.push({ name: Buffer.from(names[at], 'latin1').toString(), sizeBytes: look.sizeBytes });
    return infos;
  }

  async #look(paths: readonly Buffer[]): Promise<readonly (BlobLook | undefined)[]> {
    const { ways, directory } = this.#place;
    try {
      return await ways.look(paths);
    } catch (error) {
      const ofEach = mayBeOfOneFile(error) && (await answers(this.#place));
      if (!ofEach) throw this.#place.failure('list', directory, error);
    }
    const looks: (BlobLook | undefined)[] = [];
    for (const path of paths) looks.push(await this.#lookAt(path));
    return looks;
  }

  /** What the disk tells nothing of is there: who reads it is told why it cannot be read. */
  async #lookAt(path: Buffer): Promise<BlobLook | undefined> {
    const { ways, directory } = this.#place;
    try {
      return (await ways.look([path]))[0];
    } catch (error) {
      if (mayBeOfOneFile(error)) return { isFile: true, sizeBytes: 0 };
      throw this.#place.failure('list', directory, error);
    }
  }
}
