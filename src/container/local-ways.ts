import { Places } from '../posix/places.js';
import { poolThreads } from '../posix/pool-threads.js';
import type { SharedDescriptor } from '../posix/shared-descriptor.js';
import { Slowness } from '../posix/slowness.js';
import type { Waits } from '../waits/waits.js';
import type { BlobLook, LocalFiles, Soon } from './local-files.js';
import type { LocalSync } from './local-sync.js';

/** Reading a blob of so many bytes, and giving or taking a name, are what a server has to be asked for. */
const SMALL_BYTES = 65536;
/** Calls a millisecond that a thread has use for: so many are in flight as come up while one takes its time. */
const CALLS_A_MS = 32;
const FEWEST_IN_FLIGHT = 8;
const FIRST_IN_FLIGHT = 16;
/** Of what is done, in sequence. */
const CALLS_TO_READ = 4;
/** How many may wait before nothing more is prepared. */
const WAITING_AHEAD = 16;

/** What {@link LocalWays} works with. */
export interface LocalWaysParts {
  readonly now: LocalFiles;
  readonly later: LocalFiles;
  /** Whether the file system is of another machine or process, which may not answer. */
  readonly isRemote: boolean;
  /** Whether the thread may be held up by one that may not answer. */
  readonly mayBlock: boolean;
  /** Told what is waited for. */
  readonly waits: Waits;
  /** Told, in a sentence, of the way: when it is not the usual one from the start, and when it was changed. */
  readonly onWay?: (text: string) => void;
}

/**
 * Makes the calls of a container on disk in one of two ways: at once, which costs least, or, where they take long, in
 * threads of Node's pool, many in flight. Which of them, and how many, is found from how long they take.
 */
export class LocalWays {
  readonly #parts: LocalWaysParts;
  /** What gives or takes a name: the kernel does one at a time in a directory. */
  readonly #turn = new Places(1);
  readonly #flight = new Places(Math.min(FIRST_IN_FLIGHT, mostInFlight()));
  readonly #slowness: Slowness;
  /** Whether something was given up that was not answered. */
  #isSilent = false;
  #ready: (() => void)[] = [];

  constructor(parts: LocalWaysParts) {
    const { isRemote, mayBlock, onWay } = parts;
    this.#parts = parts;
    this.#slowness = new Slowness(isRemote, isRemote && !mayBlock);
    if (isRemote) onWay?.('The container is taken for slow from the start.');
  }

  /** Whether calls are made later, many at once. */
  get isLater(): boolean {
    return this.#slowness.isSlow;
  }

  /** To be asked before something is begun again. @throws ClfsError `cancelled` when it is stopped */
  requireGoing(): void {
    this.#parts.waits.requireGoing();
  }

  /** Does something whose duration says nothing of the file system. @param path what it is for */
  do<T>(path: string | Buffer, work: (files: LocalFiles) => Soon<T>): Soon<T> {
    return this.isLater ? this.#later(path, work) : this.#now(path, work);
  }

  /** What has each of these names. */
  look(paths: readonly Buffer[]): Soon<readonly (BlobLook | undefined)[]> {
    if (this.isLater) return Promise.all(paths.map((path) => this.#later(path, async (files) => files.look(path))));
    return paths.map((path) => this.#now(path, (files) => files.look(path)) as BlobLook | undefined);
  }

  /** Gives or takes a name. */
  name(path: string, work: (files: LocalFiles) => Soon<void>): Soon<void> {
    return this.isLater ? this.#nameLater(path, work) : this.#timed(path, work, () => 1);
  }

  async #nameLater(path: string, work: (files: LocalFiles) => Soon<void>): Promise<void> {
    const turn = await this.#takeTurn();
    try {
      await this.#timed(path, work, () => 1);
    } finally {
      turn();
    }
  }

  /** @returns gives it back; a second call does nothing */
  async #takeTurn(): Promise<() => void> {
    const release = await this.#turn.take();
    return () => {
      release();
      this.#wake();
    };
  }

  /** Removes a file, after a stop too; not where something was not answered that was asked before. */
  clear(path: string): Soon<void> {
    const { waits, later } = this.#parts;
    if (!this.isLater || !waits.isStopped) return this.name(path, (files) => files.remove(path));
    return this.#isSilent ? undefined : this.last(path, () => later.remove(path));
  }

  /** Makes a new file. @param sync whether its bytes are to be durable then */
  write(path: string, body: Uint8Array, sync: boolean): Soon<void> {
    if (this.isLater) return this.#writeLater(path, body, sync);
    return this.#now(path, (files) => files.fill(files.create(path) as number, body, sync));
  }

  async #writeLater(path: string, body: Uint8Array, sync: boolean): Promise<void> {
    const turn = await this.#takeTurn();
    try {
      await this.#later(path, async (files) => {
        const fd = await files.create(path);
        turn();
        await files.fill(fd, body, sync);
      });
    } finally {
      // Also of one that is not answered, and not waited for any more.
      turn();
    }
  }

  read(path: string, limitBytes: number): ReturnType<LocalFiles['read']> {
    return this.#timed(
      path,
      (files) => files.read(path, limitBytes),
      (read) => (Buffer.isBuffer(read) && read.length <= SMALL_BYTES ? CALLS_TO_READ : 0),
    );
  }

  /** As {@link do}, by what is open. */
  of<T>(path: string, open: SharedDescriptor, work: (files: LocalFiles, fd: number) => Soon<T>): Soon<T> {
    if (!this.isLater) return this.#now(path, (files) => work(files, open.fd));
    return this.#later(path, (files) => open.use(async (fd) => work(files, fd)));
  }

  /** Waits for a sync of the file system. */
  sync(path: string, sync: LocalSync): Promise<void> {
    return this.#parts.waits.during(path, () => sync.make());
  }

  /** Does the last of something, which is begun after a stop too; then it is waited for a second at most. */
  last(path: string, work: () => Soon<void>): Promise<void> {
    return this.#parts.waits.last(path, async () => work());
  }

  /** As `Container.ready`. */
  ready(): Promise<void> | undefined {
    if (!this.isLater || this.#isReady) return undefined;
    return new Promise((resolve) => this.#ready.push(resolve));
  }

  get #isReady(): boolean {
    return this.#flight.waiting + this.#turn.waiting < WAITING_AHEAD;
  }

  #wake(): void {
    while (this.#ready.length > 0 && this.#isReady) this.#ready.shift()?.();
  }

  #now<T>(path: string | Buffer, work: (files: LocalFiles) => Soon<T>): Soon<T> {
    const { now, isRemote, waits } = this.#parts;
    // One of this machine answers: what is told costs as much as a call.
    return isRemote ? waits.blocking(path, () => work(now)) : work(now);
  }

  async #later<T>(path: string | Buffer, work: (files: LocalFiles) => Soon<T>, took?: (ms: number, result: T) => void) {
    const { later, waits } = this.#parts;
    const release = await this.#flight.take();
    try {
      // What waited for its turn is not begun after a stop: one after another would be waited for.
      waits.requireGoing();
      const begun = performance.now();
      let isAnswered = false;
      const made = async () => {
        try {
          return await work(later);
        } finally {
          isAnswered = true;
        }
      };
      const result = await waits.during(path, made).finally(() => {
        if (!isAnswered) this.#isSilent = true;
      });
      took?.(performance.now() - begun, result);
      return result;
    } finally {
      release();
      this.#wake();
    }
  }

  /** @param callsOf how many calls were made, one after another; 0: they say nothing */
  #timed<T>(path: string, work: (files: LocalFiles) => Soon<T>, callsOf: (result: T) => number): Soon<T> {
    const took = (ms: number, result: T) => {
      const calls = callsOf(result);
      if (calls > 0) this.#took(ms, calls);
    };
    if (this.isLater) return this.#later(path, work, took);
    const begun = performance.now();
    const result = this.#now(path, work);
    if (!(result instanceof Promise)) took(performance.now() - begun, result);
    return result;
  }

  #took(ms: number, calls: number): void {
    const found = this.#slowness.took(ms, calls);
    if (!found) return;
    this.#flight.limit = Math.min(mostInFlight(), Math.max(FEWEST_IN_FLIGHT, Math.ceil(CALLS_A_MS * found.callMs)));
    const text = found.changeText('container', this.#flight.limit);
    if (text !== undefined) this.#parts.onWay?.(text);
  }
}

/** The other half of the pool is for what else there is to do. */
function mostInFlight(): number {
  return Math.max(1, Math.floor(poolThreads() / 2));
}
