/** What a job waits for: what it reads, what it writes to, what holds its objects, or where it keeps its books. */
export type WaitedPlace = 'source' | 'target' | 'container' | 'state directory';

const PLACES = ['source', 'target', 'container', 'state directory'] as const satisfies readonly WaitedPlace[];
const NUMBERS = ['oldestSince', 'blockingCall'] as const;
const NUMBER_BYTES = NUMBERS.length * 8;
/** Longest path that is kept; of a longer one its name. */
const PATH_BYTES = 1024;
const WAITED_PATH_BYTES = 8 + PATH_BYTES;
/** What is waited for by calls that leave the thread free has a path of its own: one call does not rename the other. */
const SLOT_BYTES = NUMBER_BYTES + 2 * WAITED_PATH_BYTES;

/**
 * What one lane waits for, of each place one slot, written by the lane and read by one other: no locks, no messages. So
 * a lane that hangs in a call still tells which one.
 */
export class WaitBoard {
  readonly memory: SharedArrayBuffer;
  readonly #slots: Readonly<Record<WaitedPlace, WaitSlot>>;

  /** @param memory of a board that another thread has; default: a new one */
  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(PLACES.length * SLOT_BYTES)) {
    this.memory = memory;
    const [source, target, container, state] = PLACES.map((_, at) => new WaitSlot(memory, at * SLOT_BYTES));
    this.#slots = { source, target, container, 'state directory': state };
  }

  slot(place: WaitedPlace): WaitSlot {
    return this.#slots[place];
  }

  /** Each place with its slot. */
  get slots(): readonly (readonly [WaitedPlace, WaitSlot])[] {
    return PLACES.map((place) => [place, this.#slots[place]] as const);
  }
}

/** What a lane waits for of one place. A reader may see a path that is half the one before: it is for people. */
export class WaitSlot {
  readonly #numbers: Float64Array;
  readonly #oldest: WaitedPath;
  readonly #blocking: WaitedPath;
  #calls = 0;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#numbers = new Float64Array(memory, offset, NUMBERS.length);
    this.#oldest = new WaitedPath(memory, offset + NUMBER_BYTES);
    this.#blocking = new WaitedPath(memory, offset + NUMBER_BYTES + WAITED_PATH_BYTES);
  }

  /** A call begins that holds up the thread: cheap, since it is told of each of millions of entries. */
  blocks(directory: Uint8Array, name: Uint8Array): void {
    this.#blocking.set(directory, name);
    this.#numbers[BLOCKING] = ++this.#calls;
  }

  /** None holds it up any more. */
  unblocks(): void {
    this.#numbers[BLOCKING] = 0;
  }

  /** Number of the call that holds up the thread, another one each time; 0 when none does. */
  get blockingCall(): number {
    return this.#numbers[BLOCKING];
  }

  /** Of that call, or the one before. */
  get blockingPath(): Buffer {
    return this.#blocking.value;
  }

  /** Tells what has been waited for longest by calls that leave the thread free; undefined: nothing is. */
  tell(oldest: { readonly sinceMs: number; readonly directory: Uint8Array; readonly name: Uint8Array } | undefined) {
    if (oldest) this.#oldest.set(oldest.directory, oldest.name);
    this.#numbers[OLDEST] = oldest?.sinceMs ?? 0;
  }

  /** Since when, on the monotonic clock, that is waited for; 0: nothing is. */
  get oldestSinceMs(): number {
    return this.#numbers[OLDEST];
  }

  /** Of what that is. */
  get oldestPath(): Buffer {
    return this.#oldest.value;
  }
}

/** A path in memory that is shared. */
class WaitedPath {
  readonly #length: Float64Array;
  readonly #bytes: Uint8Array;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#length = new Float64Array(memory, offset, 1);
    this.#bytes = new Uint8Array(memory, offset + 8, PATH_BYTES);
  }

  get value(): Buffer {
    return Buffer.from(this.#bytes.slice(0, this.#length[0]));
  }

  set(directory: Uint8Array, name: Uint8Array): void {
    const bytes = directory.length + 1 + name.length;
    if (bytes > PATH_BYTES) {
      this.#length[0] = Math.min(PATH_BYTES, name.length);
      this.#bytes.set(name.subarray(0, PATH_BYTES));
      return;
    }
    let at = 0;
    if (directory.length > 0) {
      this.#bytes.set(directory);
      at = directory.length;
      if (name.length > 0) this.#bytes[at++] = 0x2f;
    }
    this.#bytes.set(name, at);
    this.#length[0] = at + name.length;
  }
}

const OLDEST = NUMBERS.indexOf('oldestSince');
const BLOCKING = NUMBERS.indexOf('blockingCall');
