import type {
  AsyncSourceDirectory,
  AsyncSourceFile,
  ListedEntry,
  SourceAttributes,
  SourceDirectory,
  SourceFile,
  SourceTree,
} from '../../src/source/source-tree.js';

/** Waits before a call of the asynchronous side, and may throw. */
export type Delay = (what: 'directory' | 'entry', call: string) => Promise<void>;

/** What is remembered of a file. */
export type Remembered = (file: SourceFile) => SourceAttributes | undefined;

/**
 * Remembers of a file what it first was seen to be, which may be long outdated.
 *
 * @param look at a file as it is, of which nobody else takes notice
 */
export function rememberFirst(look: (file: SourceFile) => SourceAttributes): Remembered {
  const seen = new Map<bigint, SourceAttributes>();
  return (file) => {
    const now = look(file);
    const first = seen.get(now.inode) ?? now;
    seen.set(now.inode, first);
    return first;
  };
}

/**
 * Gives a source an asynchronous side: each of its calls waits, and then is the synchronous one.
 *
 * What is closed stays open until its calls have ended, as the port says.
 *
 * @param remembered what the system has in memory of a file that has just been opened
 */
export function withAsyncSide(
  source: SourceTree,
  delay: Delay,
  isRemote = false,
  remembered: Remembered = () => undefined,
): SourceTree {
  return {
    openDirectory: (path, expected) => asyncDirectory(source.openDirectory(path, expected), delay, remembered),
    root: source.root,
    place: () => source.place?.(),
    mounts: () => source.mounts?.() ?? [],
    isRemote,
    mayHang: isRemote,
    async: {
      async openDirectory(path, expected) {
        await delay('directory', 'open');
        return asyncDirectory(source.openDirectory(path, expected), delay, remembered);
      },
    },
    close: () => source.close(),
  };
}

/** Closes something when it is asked to and none of its calls is under way. */
class LastCall {
  readonly #close: () => void;
  #calls = 0;
  #isClosed = false;

  constructor(close: () => void) {
    this.#close = close;
  }

  async during<T>(delayed: Promise<void>, call: () => T): Promise<T> {
    if (this.#isClosed) throw new Error('A source is called after it was closed.');
    this.#calls++;
    try {
      await delayed;
      return call();
    } finally {
      this.#calls--;
      this.#end();
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#end();
  }

  #end(): void {
    if (this.#isClosed && this.#calls === 0) this.#close();
  }
}

function asyncDirectory(directory: SourceDirectory, delay: Delay, remembered: Remembered): SourceDirectory {
  const last = new LastCall(() => directory.close());
  const async: AsyncSourceDirectory = {
    attributes: (fresh) => last.during(delay('directory', 'attributes'), () => directory.attributes(fresh)),
    async *list(): AsyncGenerator<readonly ListedEntry[]> {
      const listing = directory.list()[Symbol.iterator]();
      for (;;) {
        const next = await last.during(delay('directory', 'list'), () => listing.next());
        if (next.done) return;
        yield next.value;
      }
    },
    attributesOf: (name) => last.during(delay('entry', 'attributes'), () => directory.attributesOf(name)),
    readLink: (name) => last.during(delay('entry', 'readlink'), () => directory.readLink(name)),
    openFile: async (name) =>
      asyncFile(await last.during(delay('entry', 'open'), () => directory.openFile(name)), delay, remembered),
    unstorableOf: async (name) => directory.unstorableOf?.(name),
  };
  return { ...callsOf(directory), async, close: () => last.close() };
}

/** The synchronous calls of a directory, each to be replaced by itself. */
export function callsOf(directory: SourceDirectory): SourceDirectory {
  return {
    attributes: (fresh) => directory.attributes(fresh),
    list: () => directory.list(),
    attributesOf: (name) => directory.attributesOf(name),
    readLink: (name) => directory.readLink(name),
    openFile: (name) => directory.openFile(name),
    unstorableOf: (name) => directory.unstorableOf?.(name),
    close: () => directory.close(),
  };
}

function asyncFile(file: SourceFile, delay: Delay, remembered: Remembered): AsyncSourceFile {
  const last = new LastCall(() => file.close());
  const known = remembered(file);
  return {
    knownAttributes: () => known,
    attributes: (fresh) => last.during(delay('entry', 'attributes'), () => file.attributes(fresh)),
    isUnchanged: (before) => last.during(delay('entry', 'attributes'), () => file.isUnchanged(before)),
    read: (target, position, enough) => last.during(delay('entry', 'read'), () => file.read(target, position, enough)),
    close: async () => last.close(),
  };
}
