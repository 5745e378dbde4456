/** What a job waits for: what it reads, what it writes to, what holds its objects, or where it keeps its books. */
export type WaitedPlace = 'source' | 'target' | 'container' | 'state directory';

const PLACES = ['source', 'target', 'container', 'state directory'] as const satisfies readonly WaitedPlace[];
const NUMBERS = ['oldestSince', 'blockingCall', 'pathBytes'] as const;
const NUMBER_BYTES = NUMBERS.length * 8;
/** Longest path that is kept; of a longer one the end. */
const PATH_BYTES = 1024;
const SLOT_BYTES = NUMBER_BYTES + PATH_BYTES;

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
  readonly #path: Uint8Array;
  #calls = 0;

  constructor(memory: SharedArrayBuffer, offset: number) {
    this.#numbers = new Float64Array(memory, offset, NUMBERS.length);
    this.#path = new Uint8Array(memory, offset + NUMBER_BYTES, PATH_BYTES);
  }

  /** A call begins that holds up the thread: cheap, since it is told of each of millions of entries. */
  blocks(directory: Uint8Array, name: Uint8Array): void {
    this.#setPath(directory, name);
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

  /** Tells what has been waited for longest by calls that leave the thread free; undefined: nothing is. */
  tell(oldest: { readonly sinceMs: number; readonly directory: Uint8Array; readonly name: Uint8Array } | undefined) {
    if (oldest) this.#setPath(oldest.directory, oldest.name);
    this.#numbers[OLDEST] = oldest?.sinceMs ?? 0;
  }

  /** Since when, on the monotonic clock, that is waited for; 0: nothing is. */
  get oldestSinceMs(): number {
    return this.#numbers[OLDEST];
  }

  /** Of what is waited for. */
  get path(): Buffer {
    return Buffer.from(this.#path.slice(0, this.#numbers[LENGTH]));
  }

  #setPath(directory: Uint8Array, name: Uint8Array): void {
    const bytes = directory.length + 1 + name.length;
    if (bytes > PATH_BYTES) {
      this.#numbers[LENGTH] = Math.min(PATH_BYTES, name.length);
      this.#path.set(name.subarray(0, PATH_BYTES));
      return;
    }
    let at = 0;
    if (directory.length > 0) {
      this.#path.set(directory);
      at = directory.length;
      if (name.length > 0) this.#path[at++] = 0x2f;
    }
    this.#path.set(name, at);
    this.#numbers[LENGTH] = at + name.length;
  }
}

const OLDEST = NUMBERS.indexOf('oldestSince');
const BLOCKING = NUMBERS.indexOf('blockingCall');
const LENGTH = NUMBERS.indexOf('pathBytes');
