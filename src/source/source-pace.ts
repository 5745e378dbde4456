import { poolThreads } from '../posix/pool-threads.js';
import { WaitBoard, type WaitSlot } from '../waits/wait-board.js';
import { SourceGauge } from './source-gauge.js';
import type { SourceTree } from './source-tree.js';
import { type SourceTurn, SourceTurns, type UnderWay } from './source-turns.js';

/** A file that takes longer than this to open and look at, the quickest of some, is on a slow file system. */
const SLOW_OPEN_MS = 0.25;
const FILES_LOOKED_AT = 3;
/** One file of every so many chunks is opened the other way, to see whether the file system is fast now. */
const CHUNKS_A_PROBE = 8;
/** More files than a lane can process in a second: with so many under way that this many arrive, it does not wait. */
const FILES_A_SECOND = 8000;
const FEWEST_IN_FLIGHT = 8;
const MOST_IN_FLIGHT = 128;
/** As long as it is not known what a file takes. */
const FIRST_IN_FLIGHT = 16;
/** Files of which the quickest tells how long one takes when it does not wait for others. */
const WINDOW_FILES = 64;
/** How often a lane whose calls leave it free tells what is under way. */
const TELL_MS = 1000;

/** What a pace needs to know. */
export type PaceOptions = PaceParts & (TellsNobody | TellsWaits);

interface PaceParts {
  readonly source: SourceTree;
  /** Whether the thread may be held up by a source that does not answer. */
  readonly mayBlock: boolean;
  /** Where it tells what it does. */
  readonly gauge?: SourceGauge;
  /** Whether the lane waits for the service at this moment. */
  readonly waitsForService?: () => boolean;
}

interface TellsNobody {
  readonly waits?: undefined;
  /** Milliseconds on a clock that never jumps; default: that of the thread, which no other one has. */
  readonly now?: () => number;
}

interface TellsWaits {
  /** Where it tells what it waits for, since when. */
  readonly waits: WaitSlot | undefined;
  /** The clock of whoever looks there. */
  readonly now: () => number;
}

/**
 * How one lane calls its source: synchronously, which costs least where calls are answered at once; or with many calls
 * under way that leave the thread free, where each takes long.
 *
 * Which way is found out from the files themselves: by the quickest of three, since a single one may take long because
 * the thread did not run. How many are under way follows from what a file takes and how many a lane can process.
 */
export class SourcePace {
  readonly gauge: SourceGauge;
  readonly waits: WaitSlot;
  readonly #mayBlock: boolean;
  readonly #canWait: boolean;
  readonly #turns: SourceTurns;
  readonly #waitsForService: () => boolean;
  readonly #now: () => number;
  /** What is waited for beside calls, the first one first. */
  readonly #beside = new Set<UnderWay>();
  #isAsync: boolean;
  #looks = 0;
  #quickestMs = Number.POSITIVE_INFINITY;
  #chunks = 0;
  #fileMs = 0;
  #windowMs = Number.POSITIVE_INFINITY;
  #windowFiles = 0;
  #hasBegun = false;
  #tells = false;

  constructor({ source, mayBlock, gauge, waits, now, waitsForService }: PaceOptions) {
    this.gauge = gauge ?? new SourceGauge(1);
    this.waits = waits ?? new WaitBoard().slot('source');
    this.#mayBlock = mayBlock || !source.mayHang;
    this.#canWait = source.async !== undefined;
    this.#waitsForService = waitsForService ?? (() => false);
    this.#isAsync = this.#canWait && (source.isRemote === true || !this.#mayBlock);
    const first = Math.min(FIRST_IN_FLIGHT, poolThreads());
    this.#now = now ?? (() => performance.now());
    this.#turns = new SourceTurns(first, this.#now);
    this.#tellWay();
  }

  /** Whether calls are those that leave the thread free. */
  get isAsync(): boolean {
    return this.#isAsync;
  }

  /**
   * A chunk of files begins, or a directory.
   *
   * @returns whether its first file is to be opened synchronously although the others are not, to see what that takes
   */
  begin(): boolean {
    this.#hasBegun = true;
    this.#tellLater();
    if (!this.#isAsync) {
      this.#look(FILES_LOOKED_AT);
      return false;
    }
    this.#chunks++;
    if (!this.#mayBlock || this.#chunks % CHUNKS_A_PROBE !== 0) return false;
    this.#look(1);
    return true;
  }

  #look(files: number): void {
    this.#looks = this.#canWait ? files : 0;
    this.#quickestMs = Number.POSITIVE_INFINITY;
  }

  /** Whether it is of use to know what opening the next file synchronously takes. */
  get isLooking(): boolean {
    return this.#looks > 0;
  }

  /** Takes what opening a file and looking at it took, synchronously. */
  took(ms: number): void {
    this.#quickestMs = Math.min(this.#quickestMs, ms);
    if (--this.#looks > 0) return;
    this.gauge.set('callMs', this.#quickestMs / 2);
    const isSlow = this.#quickestMs > SLOW_OPEN_MS;
    if (isSlow === this.#isAsync) return;
    this.#isAsync = isSlow;
    this.#tellWay();
  }

  /** Waits until one more may be under way. */
  async enter(directory: Uint8Array, name: Uint8Array): Promise<SourceTurn> {
    const turn = await this.#turns.take(directory, name, this.#took);
    this.#tellLater();
    return turn;
  }

  /**
   * Does something by calls that leave the thread free, when one more may be under way; whoever looks is told what takes
   * long.
   *
   * @throws what it throws
   */
  async during<T>(directory: Uint8Array, name: Uint8Array, call: (turn: SourceTurn) => Promise<T>): Promise<T> {
    const turn = await this.enter(directory, name);
    try {
      return await call(turn);
    } finally {
      turn.end();
    }
  }

  /**
   * Something is waited for without a call that is under way, since what has failed is tried again.
   *
   * @returns to be called when it is not waited for any more
   */
  waitsBeside(directory: Uint8Array, name: Uint8Array): () => void {
    const mine = { directory, name, sinceMs: this.#now() };
    this.#beside.add(mine);
    this.#tellLater();
    return () => void this.#beside.delete(mine);
  }

  /** Nobody waits any more for others to end. */
  stop(): void {
    this.#turns.stop();
  }

  /** The quickest of some files tells what one takes that does not wait in the pool. */
  readonly #took = (ms: number, calls: number): void => {
    this.#windowMs = Math.min(this.#windowMs, ms);
    if (++this.#windowFiles < WINDOW_FILES && this.#fileMs > 0) return;
    this.#fileMs = this.#windowMs;
    this.#windowMs = Number.POSITIVE_INFINITY;
    this.#windowFiles = 0;
    const wanted = Math.ceil((FILES_A_SECOND * this.#fileMs) / 1000);
    this.#turns.limit = Math.min(Math.max(FEWEST_IN_FLIGHT, wanted), MOST_IN_FLIGHT, poolThreads());
    this.gauge.set('callMs', this.#fileMs / calls);
  };

  #tellWay(): void {
    this.gauge.set('isAsync', this.#isAsync ? 1 : 0);
    this.gauge.set('mostInFlight', this.#isAsync ? this.#turns.limit : 1);
  }

  /** Says what is under way, and looks what the lane waits for. */
  #tell(): void {
    const { count } = this.#turns;
    const [beside] = this.#beside;
    const oldest = beside ?? this.#turns.oldest;
    const { gauge } = this;
    this.#tellWay();
    gauge.set('inFlight', count);
    this.waits.tell(oldest);
    if (this.#waitsForService()) gauge.add('serviceLooks', 1);
    else if (oldest) gauge.add('sourceLooks', 1);
    const isIdle = !oldest && !this.#hasBegun;
    this.#hasBegun = false;
    this.#tells = false;
    if (!isIdle) this.#tellLater();
  }

  #tellLater(): void {
    if (this.#tells) return;
    this.#tells = true;
    setTimeout(() => this.#tell(), TELL_MS).unref();
  }
}
