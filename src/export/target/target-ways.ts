import { ClfsError } from '../../error.js';
import { joinPath } from '../../paths/join-path.js';
import { CALLS_AT_ONCE } from '../../posix/koffi.js';
import { Open, pathOfOpen } from '../../posix/libc.js';
import { Places } from '../../posix/places.js';
import { Slowness } from '../../posix/slowness.js';
import { systemClock } from '../../time/clock.js';
import type { WaitSlot } from '../../waits/wait-board.js';
import { Waits } from '../../waits/waits.js';
import { type AnyCalls, CHANGES, type LaterCalls, type TargetCalls } from './target-calls.js';

/** Calls a millisecond that a lane has use for: so many are in flight as come up while one takes its time. */
const CALLS_A_MS = 16;
const FEWEST_IN_FLIGHT = 8;

/**
 * Those that give or take a name; the argument that is the directory in which. They are what a server has to be asked
 * for, whatever the system keeps in memory: they tell whether a target is slow.
 */
const NAMING: { readonly [K in keyof TargetCalls]?: number } = {
  makeDirectory: 0,
  makeSymlink: 1,
  makeLink: 2,
  makeNode: 0,
  removeAt: 0,
  renameAt: 2,
  renameNew: 2,
};

type Key = keyof TargetCalls;
type Call = (...how: unknown[]) => unknown;

/** What {@link TargetWays} works with. */
export interface WaysParts {
  readonly now: TargetCalls;
  /** undefined: a target is never taken for slow. */
  readonly later: LaterCalls | undefined;
  /** Whether the target is taken for slow from the start, since it may not answer for long. */
  readonly isSlow?: boolean;
  /** Whether a call may be made at once, and hold the thread up. Default true; else the target is slow for good. */
  readonly mayBlock?: boolean;
  /** Whether something may be changed, asked right before each time; undefined: always. */
  mayChange?(): boolean;
  /** Where it is told what is waited for; undefined: nobody looks. */
  readonly waits?: WaitSlot;
  /** Told before and behind each call that changes something. */
  changing(): void;
  /** Told, in a sentence, of the way: when it is not the usual one from the start, and when it was changed. */
  onWay?(text: string): void;
}

/**
 * Makes the calls of a target in one of two ways: at once, which costs least, or, where a call takes long, in threads
 * of Node's pool, many of them in flight. Which of them is found from how long calls take. A sync is always made in the
 * pool.
 *
 * What gives names in one directory waits for its turn: the kernel does one at a time, and the others would only keep
 * threads of the pool.
 */
export class TargetWays {
  readonly calls: AnyCalls;
  readonly #parts: WaysParts;
  readonly #flight = new Places(FEWEST_IN_FLIGHT);
  readonly #directories = new Map<number, Places>();
  readonly #waits: Waits | undefined;
  readonly #slowness: Slowness;
  #abandoned = false;

  constructor(parts: WaysParts) {
    this.#parts = parts;
    const { waits: slot, later, mayBlock = true } = parts;
    this.#waits = slot && new Waits({ slot, now: () => systemClock.monotonic() });
    this.#slowness = new Slowness(later !== undefined && (parts.isSlow === true || !mayBlock), !mayBlock);
    const calls: Record<string, unknown> = {};
    for (const key of Object.keys(parts.now) as Key[]) calls[key] = this.#either(key);
    this.calls = calls as unknown as AnyCalls;
    if (this.isSlow)
      parts.onWay?.(`The target is taken for slow from the start: up to ${this.#flight.limit} calls are in flight.`);
  }

  /** Whether calls are made later. */
  get isSlow(): boolean {
    return this.#slowness.isSlow;
  }

  /** Has no further call begin that waits for its turn. */
  abandon(): void {
    this.#abandoned = true;
  }

  #either(key: Key): Call {
    const { now } = this.#parts;
    const call = this.#waiting(key, now[key] as Call);
    const isChange = (CHANGES as readonly Key[]).includes(key);
    const directoryAt = NAMING[key];
    if (key === 'openAt')
      return (...how) => {
        const isCreate = ((how[2] as number) & Open.create) !== 0;
        if (this.isSlow) return this.#later(key, how, isCreate, isCreate ? (how[0] as number) : undefined);
        if (!isCreate) return call(...how);
        this.#change();
        return this.#timed(call, how);
      };
    // It takes long on any disk, and nothing else need wait for it.
    const isLong = key === 'sync' && this.#parts.later !== undefined;
    return (...how) => {
      if (this.isSlow || isLong)
        return this.#later(key, how, isChange, directoryAt === undefined ? undefined : (how[directoryAt] as number));
      if (isChange) this.#change();
      return directoryAt === undefined ? call(...how) : this.#timed(call, how);
    };
  }

  /** A call that holds up the thread, told where somebody looks. */
  #waiting(key: Key, call: Call): Call {
    const { waits } = this.#parts;
    if (!waits) return call;
    return (...how) => {
      waits.blocks(NO_NAME, nameOfCall(key, how));
      try {
        return call(...how);
      } finally {
        waits.unblocks();
      }
    };
  }

  /** Something is about to be changed. @throws ClfsError `cancelled` when it must not be */
  #change(): void {
    const { mayChange, changing } = this.#parts;
    if (mayChange?.() === false) throw new ClfsError('cancelled', 'The export goes on without this worker.');
    changing();
  }

  #timed(call: Call, how: unknown[]): unknown {
    const begun = performance.now();
    try {
      return call(...how);
    } finally {
      this.#took(performance.now() - begun);
    }
  }

  async #later(key: Key, how: unknown[], isChange: boolean, directory: number | undefined): Promise<unknown> {
    const { later, changing } = this.#parts;
    if (!later) throw new Error('There is no second way to call the target.');
    const turn = directory === undefined ? undefined : await this.#turn(directory);
    const place = await this.#flight.take();
    const begun = performance.now();
    try {
      if (this.#abandoned) throw new ClfsError('cancelled', 'The export was stopped.');
      // What is to be made durable is noted before, and behind: a sync that ends in between holds nothing of it.
      if (isChange) this.#change();
      const made = () => (later[key] as Call)(...how) as Promise<unknown>;
      return await (this.#waits ? this.#waits.during(() => pathOfCall(key, how), made) : made());
    } finally {
      if (isChange) changing();
      if (directory !== undefined) this.#took(performance.now() - begun);
      place();
      turn?.();
    }
  }

  async #turn(directory: number): Promise<() => void> {
    let places = this.#directories.get(directory);
    if (!places) {
      places = new Places(1);
      this.#directories.set(directory, places);
    }
    const release = await places.take();
    return () => {
      release();
      if (places.isFree) this.#directories.delete(directory);
    };
  }

  #took(ms: number): void {
    const { later, onWay } = this.#parts;
    const found = later && this.#slowness.took(ms, 1);
    if (!found) return;
    this.#flight.limit = Math.min(CALLS_AT_ONCE, Math.max(FEWEST_IN_FLIGHT, Math.ceil(CALLS_A_MS * found.callMs)));
    const text = found.changeText('target', this.#flight.limit);
    if (text !== undefined) onWay?.(text);
  }
}

const NO_NAME = new Uint8Array(0);

/** Where calls have the name that they are for, behind the directory that it is in; others are for what is open. */
const NAME_AT: { readonly [K in keyof TargetCalls]?: number } = {
  openAt: 1,
  statAt: 1,
  lookAt: 1,
  readLink: 1,
  makeDirectory: 1,
  makeSymlink: 2,
  makeLink: 3,
  makeNode: 1,
  removeAt: 1,
  renameAt: 1,
  renameNew: 1,
  setTimes: 1,
};

function nameOfCall(key: Key, how: readonly unknown[]): Uint8Array {
  const at = NAME_AT[key];
  return at === undefined ? NO_NAME : (how[at] as Uint8Array);
}

/** What a call is for, as the kernel knows it. */
function pathOfCall(key: Key, how: readonly unknown[]): Uint8Array {
  const directory = how[(NAME_AT[key] ?? 1) - 1] as number;
  return joinPath(pathOfOpen(directory) ?? NO_NAME, nameOfCall(key, how));
}
