/** What one lane tells of its calls of the source. */
export interface LaneGauge {
  /** Whether calls leave the thread free, many at once. */
  readonly isAsync: boolean;
  /** Files, or entries that are looked at, under way now, and at most. */
  readonly inFlight: number;
  readonly mostInFlight: number;
  /** What a call takes, in milliseconds; 0 where that has not been measured. */
  readonly callMs: number;
  /** What has been under way for longest: since when, on the monotonic clock, and its path below the root. */
  readonly oldest: { readonly sinceMs: number; readonly path: Buffer } | undefined;
  /** Since when, on the monotonic clock, nothing of the source answers as it should; 0 when it does. */
  readonly awaySinceMs: number;
  /** Looks, one a second, at which the lane waited for the source only, or for the service. */
  readonly sourceLooks: number;
  readonly serviceLooks: number;
}

const NUMBERS = [
  'isAsync',
  'inFlight',
  'mostInFlight',
  'callMs',
  'oldestSince',
  'awaySince',
  'sourceLooks',
  'serviceLooks',
  'blockingCall',
  'pathBytes',
] as const;
type Field = (typeof NUMBERS)[number];

const NUMBER_BYTES = NUMBERS.length * 8;
/** Longest path that is kept; of a longer one the end. */
const PATH_BYTES = 1024;
const SLOT_BYTES = NUMBER_BYTES + PATH_BYTES;

/**
 * What lanes tell of their calls of the source, each in a slot of its own, read by one: no locks, no messages. So a lane
 * that hangs in a call still tells which one.
 *
 * A reader may see a path that is half the one before: it is for people.
 */
export class SourceGauge {
  readonly memory: SharedArrayBuffer;
  readonly #numbers: Float64Array;
  readonly #path: Uint8Array;
  #calls = 0;

  constructor(slots: number);
  constructor(memory: SharedArrayBuffer, slot: number);
  constructor(first: number | SharedArrayBuffer, slot = 0) {
    this.memory = typeof first === 'number' ? new SharedArrayBuffer(first * SLOT_BYTES) : first;
    this.#numbers = new Float64Array(this.memory, slot * SLOT_BYTES, NUMBERS.length);
    this.#path = new Uint8Array(this.memory, slot * SLOT_BYTES + NUMBER_BYTES, PATH_BYTES);
  }

  /** Another slot of the same memory. */
  slot(at: number): SourceGauge {
    return new SourceGauge(this.memory, at);
  }

  get slots(): number {
    return this.memory.byteLength / SLOT_BYTES;
  }

  set(field: Exclude<Field, 'pathBytes' | 'blockingCall'>, value: number): void {
    this.#numbers[NUMBERS.indexOf(field)] = value;
  }

  add(field: 'sourceLooks' | 'serviceLooks', amount: number): void {
    this.#numbers[NUMBERS.indexOf(field)] += amount;
  }

  /** A call begins that holds up the thread: cheap, since it is told of each of millions of entries. */
  blocks(directory: Uint8Array, name: Uint8Array): void {
    this.setPath(directory, name);
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

  setPath(directory: Uint8Array, name: Uint8Array): void {
    const bytes = directory.length + 1 + name.length;
    if (bytes > PATH_BYTES) {
      this.#numbers[LENGTH] = Math.min(PATH_BYTES, name.length);
      this.#path.set(name.subarray(0, PATH_BYTES));
      return;
    }
    let at = 0;
    if (directory.length > 0) {
      this.#path.set(directory);
      this.#path[directory.length] = 0x2f;
      at = directory.length + 1;
    }
    this.#path.set(name, at);
    this.#numbers[LENGTH] = at + name.length;
  }

  get path(): Buffer {
    return Buffer.from(this.#path.slice(0, this.#numbers[LENGTH]));
  }

  read(): LaneGauge {
    const of = (field: Field) => this.#numbers[NUMBERS.indexOf(field)];
    const sinceMs = of('oldestSince');
    return {
      isAsync: of('isAsync') === 1,
      inFlight: of('inFlight'),
      mostInFlight: of('mostInFlight'),
      callMs: of('callMs'),
      oldest: sinceMs === 0 ? undefined : { sinceMs, path: this.path },
      awaySinceMs: of('awaySince'),
      sourceLooks: of('sourceLooks'),
      serviceLooks: of('serviceLooks'),
    };
  }
}

const BLOCKING = NUMBERS.indexOf('blockingCall');
const LENGTH = NUMBERS.indexOf('pathBytes');
